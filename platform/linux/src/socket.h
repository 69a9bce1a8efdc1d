// A socket: a non-blocking descriptor, and the receives and sends that wait for it.
#pragma once

#include "blocking.h"
#include "handle_table.h"
#include "operation.h"
#include "port.h"

namespace win32_linux {

// One direction of a socket.
struct Lane {
  explicit Lane(short events) : poll_events(events) {}

  OperationQueue pending;       // in the order of the calls; only the first one moves bytes
  DWORD timeout = INFINITE;     // SO_RCVTIMEO, SO_SNDTIMEO
  const short poll_events;      // the event that a blocked caller waits for: POLLIN, POLLOUT
  bool ready = true;            // a hint: false after the kernel had no more, until epoll reports an event
  bool shut = false;            // shutdown() was called
};

// Lifetime: see handle_table.h. The descriptor is closed with the object, so no call can use a descriptor that was
// closed and reused. Closing completes what is pending.
// Threads: any. One mutex per socket; packets are pushed while it is held, so they keep the order of the bytes.
class Socket : public Object {
 public:
  Socket(int fd, bool overlapped);
  ~Socket() override;

  int fd() const { return fd_; }
  bool overlapped() const { return overlapped_; }

  // Starts an overlapped receive or send and takes the operation. Returns 0 and the bytes, WSA_IO_PENDING, or an
  // error: then there is no packet.
  int start_receive(Operation* operation, DWORD* bytes) { return start(receive_, operation, bytes); }
  int start_send(Operation* operation, DWORD* bytes) { return start(send_, operation, bytes); }

  // Does the same without OVERLAPPED: blocks, unless the socket is non-blocking. Returns 0 or an error.
  int receive(Operation& operation) { return call(receive_, operation); }
  int send(Operation& operation) { return call(send_, operation); }

  // These functions return 0 or an error, too.
  // Returns the new descriptor, and the mode that the new socket inherits.
  int accept(sockaddr_storage& name, socklen_t& length, int& fd, bool& nonblocking);
  int connect(const sockaddr* name, socklen_t length);
  int bind(const sockaddr* name, socklen_t length);
  int listen(int backlog);
  int shutdown(int how);
  int set_sharing(int option, bool on);   // SO_REUSEADDR, SO_EXCLUSIVEADDRUSE
  bool sharing(int option);
  void set_timeout(int option, DWORD milliseconds);
  DWORD timeout(int option);
  void set_nonblocking(bool on);
  void set_connected();

  // Returns 0 or a Win32 error.
  DWORD associate(Ref<Port> port, ULONG_PTR key);
  DWORD cancel(const OVERLAPPED* overlapped);   // null: all
  DWORD skip_packets_on_success();

  // Called by the port's polling thread: epoll reported these events.
  void on_ready(unsigned events);
  // Called after the handle was closed: completes everything.
  void close();

 private:
  int start(Lane& lane, Operation* operation, DWORD* bytes);
  int call(Lane& lane, Operation& operation);
  int refusal(const Lane& lane) const;
  bool attempt(Lane& lane, Operation& operation);
  bool try_receive(Operation& operation);
  bool try_send(Operation& operation);
  int note_error(int error_number);
  void drive(Lane& lane);
  template <class Match>
  bool abort(Lane& lane, Match match);
  void complete(Operation* operation);
  void report(const Operation& operation, int error);
  Lane& lane_of(int option) { return option == SO_RCVTIMEO ? receive_ : send_; }

  const int fd_;
  const bool overlapped_;        // created with WSA_FLAG_OVERLAPPED

  std::mutex mutex_;             // guards the members below
  Lane receive_;
  Lane send_;
  Ref<Port> port_;               // set once
  ULONG_PTR key_ = 0;
  BlockedCall* blocked_ = nullptr;
  int broken_ = 0;               // after the connection broke: the error of every later call
  bool closed_ = false;
  bool connected_ = false;       // accepted, or connect() was called
  bool nonblocking_ = false;     // FIONBIO
  bool ended_ = false;           // no more edges will follow: reads are tried even after a short one
  bool finish_ = false;          // shutdown(SD_SEND) waits for the pending sends
  bool skip_packets_ = false;    // FILE_SKIP_COMPLETION_PORT_ON_SUCCESS
  bool reuse_ = false;           // SO_REUSEADDR
  bool exclusive_ = false;       // SO_EXCLUSIVEADDRUSE
};

inline Ref<Socket> find_socket(SOCKET s) { return Ref<Socket>(acquire_slot(s, Kind::kSocket)); }

}  // namespace win32_linux
