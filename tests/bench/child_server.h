// A server as a child process of the benchmark. It is killed when this object is destroyed, and with the benchmark
// itself.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace bench {

class ChildServer {
 public:
  // Starts it and waits for "listening on port N". Throws std::runtime_error if that takes more than 20 s, or if it
  // ends earlier.
  explicit ChildServer(const std::vector<std::string>& command);
  ~ChildServer();
  ChildServer(const ChildServer&) = delete;
  ChildServer& operator=(const ChildServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::size_t resident_bytes() const;
  double cpu_seconds() const;  // of its threads so far; 0 if unknown

  // For an error message: returns the last output, and how it ended if it did.
  std::string last_words();

  // Ends it with Ctrl+C, and returns its complete output.
  std::string stop();

 private:
  std::string output() const;
  bool has_ended();

  pid_t pid_ = -1;
  std::string log_;
  std::uint16_t port_ = 0;
};

}  // namespace bench
