#include "proof_record.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "student_files.h"

namespace grader {

namespace {

constexpr std::size_t kDigits = 16;  // of a digest
constexpr std::size_t kProvedAgain = 10;  // one of this many

std::string result_of(const Proof& proof) {
  std::string text;
  for (const auto& [platform, points] : proof.scores) {
    text += (text.empty() ? "" : ", ") + platform + " " + std::to_string(points);
  }
  if (!text.empty()) return text;
  const std::string rounds = std::to_string(proof.rounds);
  return "killed " + rounds + "/" + rounds + (proof.others.empty() ? "" : ", others " + proof.others);
}

std::string seal_of(const std::string& program, const Proof& proof) {
  return hash_of(program + " " + proof.inputs + " " + result_of(proof));
}

bool is_digest(const std::string& text) {
  return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

// Parses "linux 100, asan 100" or "killed 20/20, others 2". Returns nullopt for any other text.
std::optional<Proof> parse_result(const std::string& text) {
  Proof proof;
  if (text.starts_with("killed ")) {
    proof.rounds = static_cast<unsigned>(std::strtoul(text.c_str() + 7, nullptr, 10));
    const std::size_t others = text.find(", others ");
    if (others != std::string::npos) proof.others = text.substr(others + 9);
  } else {
    std::istringstream words(text);
    std::string platform, points;
    while (words >> platform >> points) proof.scores.emplace_back(platform, std::atoi(points.c_str()));
    proof.rounds = 1;
  }
  if (result_of(proof) != text) return std::nullopt;
  return proof;
}

}  // namespace

ProofRecord ProofRecord::read(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return parse({std::istreambuf_iterator<char>(stream), {}});
}

ProofRecord ProofRecord::parse(const std::string& text) {
  ProofRecord record;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    std::istringstream words(line);
    std::string program, inputs, seal, result;
    words >> program >> inputs >> seal >> std::ws;
    std::getline(words, result);
    std::optional<Proof> proof = parse_result(result);
    if (proof) proof->inputs = inputs;
    if (!proof || !is_digest(inputs) || seal != seal_of(program, *proof)) {
      record.complaints_.emplace_back(program, "its line was not written by `lab test`: " + line);
    } else if (!record.proofs_.emplace(program, *proof).second) {
      record.complaints_.emplace_back(program, "it has two lines");
    }
  }
  for (const auto& complaint : record.complaints_) record.proofs_.erase(complaint.first);
  return record;
}

const Proof* ProofRecord::find(const std::string& program) const {
  const auto found = proofs_.find(program);
  return found == proofs_.end() ? nullptr : &found->second;
}

void ProofRecord::keep_only(const std::string& lab, const std::vector<std::string>& programs) {
  std::erase_if(proofs_, [&](const auto& entry) {
    return entry.first.starts_with(lab + "/") &&
           std::find(programs.begin(), programs.end(), entry.first) == programs.end();
  });
}

bool ProofRecord::covers(const std::string& program, const std::string& inputs, unsigned rounds) const {
  const Proof* const proof = find(program);
  return proof != nullptr && proof->inputs == inputs && (!proof->scores.empty() || proof->rounds >= rounds);
}

std::string ProofRecord::text() const {
  std::size_t widest = 0;
  for (const auto& entry : proofs_) widest = std::max(widest, entry.first.size());
  std::string text =
      "# What is proved of the programs in tests/mutants. Written by `./lab test --mutants` and `./lab test --all`;\n"
      "# tests/grader/commands/proof_record.h describes the columns. Do not edit: a changed line fails the next run.\n";
  for (const auto& [program, proof] : proofs_) {
    text += program + std::string(widest - program.size() + 2, ' ') + proof.inputs + "  " + seal_of(program, proof) +
            "  " + result_of(proof) + "\n";
  }
  return text;
}

std::vector<std::string> some_to_prove_again(std::vector<std::string> programs, std::mt19937_64& random) {
  std::shuffle(programs.begin(), programs.end(), random);
  programs.resize((programs.size() + kProvedAgain - 1) / kProvedAgain);
  return programs;
}

}  // namespace grader
