// tests/mutants/RECORD.txt: what `lab test` has proved of each program of tests/mutants, and for which inputs. A
// program whose inputs are the recorded ones need not be run again. One line for each program, in the order of the
// names:
//
//   lab01_accept/any_error_ends_the_loop  4be0a9c1d2f35a60  b7a1c09e8f7d6e5c  killed 20/20, others 2
//   lab01_accept/right_beginner           9d1c22aa0b5e7f31  0a9b8c7d6e5f4a3b  linux 100, asan 100, tsan 100
//
// The inputs are a digest of everything that decides the verdict (proof_inputs.h). The seal is a digest of the rest of
// the line, which detects manual edits. It is not secret, so each run also proves a random tenth of the record again.
#pragma once

#include <filesystem>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace grader {

// What was proved of one program.
struct Proof {
  std::string inputs;
  unsigned rounds = 0;  // a wrong program: number of runs of each named test; a right one: 1
  std::string others;   // a wrong program: number of other tests that fail; empty: they were not run
  std::vector<std::pair<std::string, int>> scores;  // a right program: the points on each platform

  bool operator==(const Proof&) const = default;
};

class ProofRecord {
 public:
  // Reads the record. A missing file is an empty record. Invalid lines are skipped and listed in complaints().
  static ProofRecord read(const std::filesystem::path& file);
  static ProofRecord parse(const std::string& text);

  // Returns each program with an invalid line and the error. Each is a failure.
  const std::vector<std::pair<std::string, std::string>>& complaints() const { return complaints_; }

  // Returns the proof of "lab01_accept/right_beginner", or nullptr.
  const Proof* find(const std::string& program) const;
  void set(const std::string& program, Proof proof) { proofs_[program] = std::move(proof); }
  void erase(const std::string& program) { proofs_.erase(program); }

  // Removes the entries of programs of `lab` that are not in `programs`.
  void keep_only(const std::string& lab, const std::vector<std::string>& programs);

  // Returns whether the program can be skipped: it was proved for these inputs, in at least `rounds` rounds.
  bool covers(const std::string& program, const std::string& inputs, unsigned rounds) const;

  std::string text() const;

 private:
  std::map<std::string, Proof> proofs_;
  std::vector<std::pair<std::string, std::string>> complaints_;
};

// Chooses a random tenth of the programs, at least one, to verify the record.
std::vector<std::string> some_to_prove_again(std::vector<std::string> programs, std::mt19937_64& random);

}  // namespace grader
