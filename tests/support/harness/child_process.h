// A lab's program as a child process: started, read line by line, asked to stop as Ctrl+C does, waited for.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace test {

// The program that belongs to this test program and lies beside it: lab03_overlapped_ex_graded_test tests
// lab03_overlapped_ex_graded.
std::string program_under_test();

// One run of a program. Whatever it still runs at the end is killed. For one thread at a time.
class Program {
 public:
  // Starts it. stdout and stderr come together in output().
  explicit Program(const std::vector<std::string>& arguments, const std::string& program = program_under_test());
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program();

  // The next line that contains `text`, from where the last found line ended. Fails the test, and shows the output, when
  // it does not come. An unwritten TODO in the program ends the test as "not started".
  std::string wait_for_line(const std::string& text);

  // The port in "listening on port N".
  std::uint16_t wait_for_port();

  // All that it has printed so far.
  std::string output() const;

  // Asks it to stop: SIGINT, on Windows Ctrl+Break.
  void ask_to_stop();

  // Waits until it has ended, and all its output is there. Returns its exit code; 128 + n when signal n ended it.
  int wait_for_exit();

  void kill();

 private:
  struct Child;  // what the system knows it by
  void read_output();

  std::unique_ptr<Child> child_;
  mutable std::mutex mutex_;  // protects what follows
  std::condition_variable changed_;
  std::string output_;
  bool output_ended_ = false;
  std::size_t seen_ = 0;  // where the next wait_for_line begins to look
  std::thread reader_;    // last: it uses the others
};

// A server on a port of its own choice. It would end by itself after a minute, should this process die first.
class ServerProgram : public Program {
 public:
  explicit ServerProgram(std::vector<std::string> arguments = {}, const std::string& program = program_under_test());
  std::uint16_t port = 0;

  // Asks it to stop and expects exit code 0.
  void stop();
};

}  // namespace test
