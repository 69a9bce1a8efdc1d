// The connections of the bots: one completion port, one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "handles.h"
#include "unique_handle.h"

namespace bots {

// One connection. A pending operation keeps it alive, as in lab 3.
class Link {
 public:
  const std::size_t bot;     // whose it is
  bool half_closed = false;  // half_close() was called

  void send(std::string_view bytes);  // goes out in order; one send is on its way at a time
  bool sending() const { return send_.link != nullptr; }
  void half_close();  // nothing more will be sent. What comes is still received
  void reset();       // closes by RST
  void close();

 private:
  friend class Links;
  struct Operation {
    OVERLAPPED overlapped{};
    std::shared_ptr<Link> link;  // set while it is pending
  };
  Link(std::size_t owner, class Links& links) : bot(owner), links_(links) {}
  void receive_more();
  void send_more();
  void posted(Operation& operation, int result);

  class Links& links_;
  lab::UniqueSocket socket_;
  std::shared_ptr<Link> self_;  // until it is closed
  Operation recv_, send_;
  std::size_t size_ = 0;  // bytes in `in_` that nobody has taken yet
  char in_[16384];
  std::string waiting_, going_;
};

// What happens to links. Called by Links::wait only, and never for a link that this side has closed.
class LinkEvents {
 public:
  virtual ~LinkEvents() = default;
  // Returns how many bytes it has taken; what it leaves comes again, with more behind it.
  virtual std::size_t on_bytes(Link& link, std::string_view bytes) = 0;
  virtual void on_lost(Link& link) = 0;  // the server has closed it
};

class Links {
 public:
  explicit Links(LinkEvents& events);
  ~Links();  // waits until no operation is pending; close all links before

  // Waits for the connection. Throws std::system_error with the name of the call that failed.
  Link& connect(std::size_t bot, const std::string& host, std::uint16_t port);

  // Takes one completion and tells what it means. At most so many milliseconds.
  void wait(DWORD milliseconds);

 private:
  friend class Link;
  LinkEvents* events_;
  lab::UniqueHandle port_;
  std::size_t pending_ = 0;  // operations
};

}  // namespace bots
