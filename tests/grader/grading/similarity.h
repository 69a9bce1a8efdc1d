// Which files of a class are suspiciously alike. Renaming, layout and comments do not hide a copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace grader {

// What stays of a text: hashes of some of its runs of tokens, in order, each once. Names and literals are all the same.
// Of every run of a certain length at least one hash is among them (winnowing: Schleimer, Wilkerson and Aiken, 2003).
using Fingerprint = std::vector<std::uint64_t>;
Fingerprint fingerprint_of(const std::string& text);

// Two submissions of one lab, as indices; the first is smaller.
struct AlikePair {
  std::size_t first = 0, second = 0;
  int lab = 0;        // its number
  double share = 0;   // of the smaller one's fingerprint that is in the other's, too
  std::size_t common = 0;  // hashes
};

class AlikeSearch {
 public:
  // What everybody was given, as the starter: what is in it makes nobody suspicious.
  void add_given(int lab, const std::string& text);
  void add(std::size_t submission, int lab, const std::string& text);

  // Those that share enough of what is their own, most alike first. What most of a larger class has is nobody's own.
  std::vector<AlikePair> pairs() const;

 private:
  std::map<int, std::vector<std::pair<std::size_t, Fingerprint>>> files_;
  std::map<int, Fingerprint> given_;
};

}  // namespace grader
