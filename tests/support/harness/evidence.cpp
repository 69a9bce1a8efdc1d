#include "evidence.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "seal.h"
#include "seam.h"
#include "start.h"

namespace test {
namespace {

// A check may stand in a loop, so it is looked up without a lock: by the hash of its text. Relaxed, because an order among
// threads would hide a race of the code under test.
std::array<std::atomic<std::uint64_t>, 4096> hashes;

std::mutex mutex;  // protects places()
std::vector<std::string>& places() {
  static std::vector<std::string>* const all = new std::vector<std::string>;  // never destroyed: threads may outlive main
  return *all;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::uint64_t hash_of(std::string_view text) {
  std::uint64_t hash = 14695981039346656037u;
  for (const char c : text) {
    if (!is_digit(c)) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }
  return hash == 0 ? 1 : hash;
}

// True when the hash was not there.
bool insert(std::uint64_t hash) {
  for (std::size_t i = 0, at = hash % hashes.size(); i < hashes.size(); ++i, at = (at + 1) % hashes.size()) {
    std::uint64_t found = hashes[at].load(std::memory_order_relaxed);
    if (found == 0 && hashes[at].compare_exchange_strong(found, hash, std::memory_order_relaxed)) return true;
    if (found == hash) return false;
  }
  return false;  // full
}

constexpr std::size_t kMostCharacters = 200;

// "client 12 of 30" -> "client # of #". It is written into a report, so only plain ASCII is kept.
std::string name_of(std::string_view text) {
  std::string name;
  for (const char c : text.substr(0, kMostCharacters)) {
    if (!is_digit(c)) name += c >= ' ' && c <= '~' ? c : '?';
    else if (name.empty() || name.back() != '#') name += '#';
  }
  return name;
}

}  // namespace

void reached(const std::string& what) {
  const std::string_view place(what.data(), std::min(what.size(), what.find_first_of(":;")));  // what follows may be a value
  if (place.empty() || !insert(hash_of(place))) return;
  const OutOfSight hidden;
  std::lock_guard lock(mutex);
  places().push_back(name_of(place));
}

void forget_reached() {
  std::lock_guard lock(mutex);
  for (std::atomic<std::uint64_t>& hash : hashes) hash.store(0, std::memory_order_relaxed);
  places().clear();
}

void prove(const std::string& test) {
  const std::string key = start_key();
  if (key.empty()) return;
  std::string list;
  {
    std::lock_guard lock(mutex);
    for (const std::string& place : places()) list += (list.empty() ? "" : "\n") + place;
  }
  ::testing::Test::RecordProperty("reached", list);
  ::testing::Test::RecordProperty("seal", seal_of(key, test + "\n" + list));
}

}  // namespace test
