#include "child_server.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace bench {

ChildServer::ChildServer(const std::vector<std::string>& command) {
  // Its output is written to a file, so that no thread has to read it during the measurement.
  log_ = (std::filesystem::temp_directory_path() / "lab_bench_XXXXXX").string();
  const int log = ::mkstemp(log_.data());
  if (log < 0) throw std::runtime_error("cannot create a temporary file");
  pid_ = ::fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) {
    ::setpgid(0, 0);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(log, 1);
    ::dup2(log, 2);
    std::vector<char*> arguments;
    for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ::close(log);
  const std::string mark = "listening on port ";
  for (int i = 0; i < 2000; ++i) {
    const std::string text = output();
    if (const auto at = text.find(mark); at != std::string::npos && text.find('\n', at) != std::string::npos) {
      port_ = static_cast<std::uint16_t>(std::atoi(text.c_str() + at + mark.size()));
      return;
    }
    if (has_ended()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw std::runtime_error("the server does not listen" + last_words());
}

bool ChildServer::has_ended() {
  if (pid_ > 0 && ::waitpid(pid_, nullptr, WNOHANG) == pid_) pid_ = -1;
  return pid_ <= 0;
}

std::string ChildServer::last_words() {
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // it may be about to print the reason
  const std::string all = output();
  const std::string end = all.substr(all.size() - std::min<std::size_t>(all.size(), 300));
  return std::string(has_ended() ? "; it has ended" : "") + (end.empty() ? "" : "; its last output: " + end);
}

ChildServer::~ChildServer() {
  if (pid_ > 0) {
    ::kill(-pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  std::error_code ignored;
  std::filesystem::remove(log_, ignored);
}

std::string ChildServer::stop() {
  if (pid_ > 0) {
    ::kill(-pid_, SIGINT);
    ::waitpid(pid_, nullptr, 0);
  }
  pid_ = -1;
  return output();
}

std::size_t ChildServer::resident_bytes() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmRSS:")) return std::strtoull(line.c_str() + 6, nullptr, 10) * 1024;
  }
  return 0;
}

double ChildServer::cpu_seconds() const {
  double nanoseconds = 0;
  std::error_code error;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(pid_) + "/task", error)) {
    double one = 0;
    std::ifstream(thread.path() / "schedstat") >> one;
    nanoseconds += one;
  }
  return nanoseconds / 1e9;
}

std::string ChildServer::output() const {
  std::stringstream text;
  text << std::ifstream(log_).rdbuf();
  return text.str();
}

}  // namespace bench
