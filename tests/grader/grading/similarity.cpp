#include "similarity.h"

#include <algorithm>
#include <cctype>
#include <iterator>
#include <set>
#include <string_view>

namespace grader {

namespace {

constexpr std::size_t kRun = 14;            // tokens in a run: about two lines
constexpr std::size_t kWindow = 6;          // at least one of this many consecutive runs is kept
constexpr std::size_t kMostTokens = 20'000;  // a solution has about 1500
constexpr std::size_t kFewest = 25;          // hashes of unshared code; with fewer, there is too little to compare
constexpr double kThreshold = 0.6;           // independently written right programs of tests/mutants share up to 0.52
constexpr std::size_t kLargeClass = 8;       // in a smaller class, "most" could be a group that copied
constexpr std::size_t kMostPairs = 200;

bool is_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_' || static_cast<unsigned char>(c) >= 128; }

bool is_keyword(std::string_view word) {
  static const std::set<std::string_view> kWords = {
      "auto", "bool", "break", "case", "catch", "char", "class", "const", "constexpr", "continue", "default", "delete", "do", "double",
      "else", "enum", "explicit", "false", "float", "for", "goto", "if", "int", "long", "namespace", "new", "noexcept", "nullptr",
      "operator", "private", "public", "return", "short", "signed", "sizeof", "static", "struct", "switch", "template", "this", "throw",
      "true", "try", "typedef", "typename", "union", "unsigned", "using", "virtual", "void", "volatile", "while"};
  return kWords.count(word) != 0;
}

std::uint64_t mixed(std::uint64_t value) {  // so that every bit depends on every bit
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

std::uint64_t hash_of_word(std::string_view word) {
  std::uint64_t hash = 0xcbf29ce484222325u;
  for (const char c : word) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  return mixed(hash);
}

// Returns the position after the literal that begins at `at` with this quote.
std::size_t after_literal(const std::string& text, std::size_t at, char quote) {
  for (++at; at < text.size() && text[at] != quote && text[at] != '\n'; ++at) at += text[at] == '\\' ? 1 : 0;
  return std::min(at + 1, text.size());
}

// Returns each token as a number. Skips comments, space and preprocessor lines.
std::vector<std::uint64_t> tokens_of(const std::string& text) {
  static const std::uint64_t kName = hash_of_word("<name>"), kNumber = hash_of_word("<number>"), kText = hash_of_word("<text>");
  std::vector<std::uint64_t> tokens;
  bool line_begins = true;
  for (std::size_t at = 0; at < text.size() && tokens.size() < kMostTokens;) {
    const char c = text[at];
    if (c == '\n') line_begins = true;
    if (std::isspace(static_cast<unsigned char>(c))) {
      ++at;
    } else if ((line_begins && c == '#') || text.compare(at, 2, "//") == 0) {
      at = std::min(text.find('\n', at), text.size());
    } else if (text.compare(at, 2, "/*") == 0) {
      const std::size_t end = text.find("*/", at + 2);
      at = end == std::string::npos ? text.size() : end + 2;
    } else if (c == '"' || c == '\'') {
      at = after_literal(text, at, c);
      tokens.push_back(kText);
    } else if (is_name(c)) {
      const std::size_t begin = at;
      const bool number = std::isdigit(static_cast<unsigned char>(c));
      while (at < text.size() && (is_name(text[at]) || (number && (text[at] == '.' || text[at] == '\'')))) ++at;
      const std::string_view word(text.data() + begin, at - begin);
      // std::move(x) and move(x), a::b and b: a qualified name counts as one name.
      if (tokens.size() >= 2 && !number && tokens.back() == hash_of_word("::")) {
        tokens.pop_back();
        if (tokens.back() == kName) tokens.pop_back();
      }
      tokens.push_back(number ? kNumber : is_keyword(word) ? hash_of_word(word) : kName);
    } else {
      const std::size_t size = text.compare(at, 2, "::") == 0 || text.compare(at, 2, "->") == 0 ? 2 : 1;
      tokens.push_back(hash_of_word(std::string_view(text.data() + at, size)));
      at += size;
    }
    if (at > 0 && c != '\n' && !std::isspace(static_cast<unsigned char>(c))) line_begins = false;
  }
  return tokens;
}

Fingerprint minus(const Fingerprint& from, const Fingerprint& what) {
  Fingerprint rest;
  std::set_difference(from.begin(), from.end(), what.begin(), what.end(), std::back_inserter(rest));
  return rest;
}

std::size_t common_of(const Fingerprint& a, const Fingerprint& b) {
  std::size_t count = 0;
  for (auto i = a.begin(), j = b.begin(); i != a.end() && j != b.end();) {
    if (*i == *j) ++count, ++i, ++j;
    else if (*i < *j) ++i;
    else ++j;
  }
  return count;
}

}  // namespace

Fingerprint fingerprint_of(const std::string& text) {
  const std::vector<std::uint64_t> tokens = tokens_of(text);
  std::vector<std::uint64_t> runs;
  for (std::size_t i = 0; i + kRun <= tokens.size(); ++i) {
    std::uint64_t hash = 0;
    for (std::size_t k = 0; k < kRun; ++k) hash = mixed(hash * 31 + tokens[i + k]);
    runs.push_back(hash);
  }
  Fingerprint kept;
  for (std::size_t i = 0; i < runs.size(); ++i) {
    const auto begin = runs.begin() + static_cast<std::ptrdiff_t>(i);
    kept.push_back(*std::min_element(begin, begin + static_cast<std::ptrdiff_t>(std::min(kWindow, runs.size() - i))));
    if (i + kWindow >= runs.size()) break;
  }
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  return kept;
}

void SimilaritySearch::add_given(int lab, const std::string& text) {
  const Fingerprint more = fingerprint_of(text);
  Fingerprint all;
  std::set_union(given_[lab].begin(), given_[lab].end(), more.begin(), more.end(), std::back_inserter(all));
  given_[lab] = all;
}

void SimilaritySearch::add(std::size_t submission, int lab, const std::string& text) {
  files_[lab].emplace_back(submission, fingerprint_of(text));
}

std::vector<SimilarPair> SimilaritySearch::pairs() const {
  std::vector<SimilarPair> found;
  for (const auto& entry : files_) {
    const int lab = entry.first;
    const auto& files = entry.second;
    std::map<std::uint64_t, std::size_t> having;  // number of submissions with this hash
    for (const auto& file : files) {
      for (const std::uint64_t hash : file.second) ++having[hash];
    }
    Fingerprint nobodys;
    if (const auto given = given_.find(lab); given != given_.end()) nobodys = given->second;
    if (files.size() >= kLargeClass) {
      for (const auto& one : having) {
        if (one.second > files.size() / 2) nobodys.push_back(one.first);
      }
      std::sort(nobodys.begin(), nobodys.end());
    }
    std::vector<Fingerprint> own;
    for (const auto& file : files) own.push_back(minus(file.second, nobodys));
    for (std::size_t i = 0; i < files.size(); ++i) {
      for (std::size_t j = i + 1; j < files.size(); ++j) {
        const std::size_t smaller = std::min(own[i].size(), own[j].size());
        if (smaller < kFewest) continue;
        const std::size_t common = common_of(own[i], own[j]);
        const double share = static_cast<double>(common) / static_cast<double>(smaller);
        if (share < kThreshold) continue;
        found.push_back({std::min(files[i].first, files[j].first), std::max(files[i].first, files[j].first), lab, share, common});
      }
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const SimilarPair& a, const SimilarPair& b) { return a.share > b.share; });
  if (found.size() > kMostPairs) found.resize(kMostPairs);
  return found;
}

}  // namespace grader
