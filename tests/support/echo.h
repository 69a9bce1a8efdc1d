// For the tests of echo servers: bytes that come back, and a program that sends them back.
#pragma once

#include <algorithm>
#include <sstream>
#include <string>
#include <vector>

#include "child_process.h"
#include "net.h"
#include "story.h"

namespace test {

// `what` names the bytes. Says where the first difference is, and not all of the bytes.
inline void check_same_bytes(const std::string& what, const std::string& actual, const std::string& expected,
                             const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  if (actual == expected) return;
  const std::size_t both = std::min(actual.size(), expected.size());
  const auto at = static_cast<std::size_t>(
      std::mismatch(actual.begin(), actual.begin() + static_cast<std::ptrdiff_t>(both), expected.begin()).first -
      actual.begin());
  const std::string sizes = std::to_string(actual.size()) + " bytes instead of " + std::to_string(expected.size());
  fail("expected " + what + " to be right, but " +
           (at < both ? "byte " + std::to_string(at) + " of " + std::to_string(expected.size()) + " is another one"
                      : "it has " + sizes),
       file, line);
}

// Sends `bytes` in pieces and takes each piece back before the next.
inline void check_echo(TestClient& client, const std::string& bytes, std::size_t piece) {
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const std::string some = bytes.substr(at, piece);
    client.send(some);
    check_same_bytes("the echo", client.receive(some.size()), some);
  }
}

// Runs `body` against the program. When a check fails, and the program has met an unwritten TODO, that is the reason;
// else the program's last lines are part of the story.
template <class Body>
void with_program(ServerProgram& server, Body body) {
  try {
    body();
  } catch (const Unmet& unmet) {
    const bool unwritten =
        eventually([&] { return server.output().find("not started: ") != std::string::npos; }, std::chrono::seconds(1));
    if (unwritten) server.wait_for_exit();  // throws what was not started
    std::vector<std::string> lines;
    std::istringstream output(server.output());
    for (std::string line; std::getline(output, line);) lines.push_back(line);
    std::string story = unmet.what() + std::string("\nstory: the last lines that the program printed:");
    for (std::size_t i = lines.size() > 10 ? lines.size() - 10 : 0; i < lines.size(); ++i) story += "\nstory:   " + lines[i];
    throw Unmet(story, unmet.place);
  }
}

}  // namespace test
