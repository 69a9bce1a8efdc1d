// A server as a child process of the bench. It is killed when this object goes, and with the bench itself.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

class ChildServer {
 public:
  // Starts it and waits for "listening on port N". Throws std::runtime_error when that does not come in 20 s, or
  // it ends before.
  explicit ChildServer(const std::vector<std::string>& command);
  ~ChildServer();
  ChildServer(const ChildServer&) = delete;
  ChildServer& operator=(const ChildServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::size_t resident_bytes() const;
  double cpu_seconds() const;  // of its threads so far; 0 where the kernel does not say

  // For an error: what it printed last, and how it ended if it did.
  std::string last_words();

  // Ends it as Ctrl+C does, and returns all that it printed.
  std::string stop();

 private:
  std::string output() const;
  bool has_ended();

  pid_t pid_ = -1;
  std::string log_;
  std::uint16_t port_ = 0;
};

}  // namespace bench
