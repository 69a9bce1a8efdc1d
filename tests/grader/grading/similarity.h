// Finds suspiciously similar files in a class. Renaming, layout and comments do not hide a copy.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace grader {

// The fingerprint of a text: hashes of some of its token runs, in order, each once. All names are equal, and so are all
// literals. At least one hash of every run of a certain length is kept (winnowing: Schleimer, Wilkerson and Aiken,
// 2003).
using Fingerprint = std::vector<std::uint64_t>;
Fingerprint fingerprint_of(const std::string& text);

// Two submissions of one lab, as indices; the first is the smaller one.
struct SimilarPair {
  std::size_t first = 0, second = 0;
  int lab = 0;             // number of the lab
  double share = 0;        // fraction of the smaller fingerprint that the other one contains
  std::size_t common = 0;  // number of common hashes
};

class SimilaritySearch {
 public:
  // Adds code given to every student, such as the starter; matches in it are ignored.
  void add_given(int lab, const std::string& text);
  void add(std::size_t submission, int lab, const std::string& text);

  // Returns the pairs that share enough of their own code, most similar first. Fragments shared by most of a large
  // class are ignored.
  std::vector<SimilarPair> pairs() const;

 private:
  std::map<int, std::vector<std::pair<std::size_t, Fingerprint>>> files_;
  std::map<int, Fingerprint> given_;
};

}  // namespace grader
