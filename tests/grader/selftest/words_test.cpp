// Tests the wording of the tool, the benchmarks and the platform layer against words.txt.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;

const fs::path kRoot = LAB_SOURCE_ROOT;
const fs::path kList = kRoot / "tests/grader/selftest/words.txt";

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

bool in_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

// Returns whether `line` contains `words` as whole words. Both are in lower case.
bool uses(const std::string& line, const std::string& words) {
  for (std::size_t at = line.find(words); at != std::string::npos; at = line.find(words, at + 1)) {
    const std::size_t end = at + words.size();
    if ((at == 0 || !in_word(line[at - 1])) && (end == line.size() || !in_word(line[end]))) return true;
  }
  return false;
}

// Returns the words and their reasons.
std::vector<std::pair<std::string, std::string>> read_words() {
  std::vector<std::pair<std::string, std::string>> words;
  std::ifstream stream(kList);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const std::size_t bar = line.find(" | ");
    if (line.empty() || line.front() == '#') continue;
    EXPECT_NE(bar, std::string::npos) << kList.string() << ": " << line;
    if (bar != std::string::npos) words.emplace_back(lower(line.substr(0, bar)), line.substr(bar + 3));
  }
  return words;
}

// Returns the files whose wording is tested.
std::vector<fs::path> tested_files() {
  std::vector<fs::path> files = {kRoot / "lab", kRoot / "CMakeLists.txt"};
  const std::set<std::string> extensions = {".cpp", ".h", ".inc", ".md", ".txt", ".cmake", ".json", ".yml", ".sh", ""};
  for (const char* folder : {"tests/grader", "tests/bench", "platform", ".github", ".devcontainer"}) {
    if (!fs::is_directory(kRoot / folder)) continue;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(kRoot / folder)) {
      const fs::path& file = entry.path();
      if (!entry.is_regular_file() || file == kList || extensions.count(file.extension().string()) == 0) continue;
      files.push_back(file);
    }
  }
  return files;
}

TEST(Words, AreFoundAsWholeWords) {
  EXPECT_TRUE(uses("a word, and more", "word"));
  EXPECT_TRUE(uses("word", "word"));
  EXPECT_TRUE(uses("words of one word", "word"));
  EXPECT_FALSE(uses("password word_list words", "word"));
  EXPECT_FALSE(uses("", "word"));
}

TEST(Words, OfTheListAreNotUsed) {
  const auto words = read_words();
  ASSERT_GT(words.size(), 20u);
  const std::vector<fs::path> files = tested_files();
  ASSERT_GT(files.size(), 100u);
  for (const fs::path& file : files) {
    std::ifstream stream(file);
    ASSERT_TRUE(stream) << file;
    int number = 0;
    for (std::string line; std::getline(stream, line);) {
      ++number;
      line = lower(line);
      for (const auto& [word, reason] : words) {
        if (!uses(line, word)) continue;
        ADD_FAILURE_AT(file.string().c_str(), number) << "'" << word << "' is in words.txt: " << reason;
      }
    }
  }
}

}  // namespace
