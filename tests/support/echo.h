// For the tests of echo servers: the bytes that come back.
#pragma once

#include <algorithm>
#include <string>

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

}  // namespace test
