// Computes digests of everything that decides the verdict on a program of tests/mutants. A recorded proof
// (proof_record.h) is valid as long as they are unchanged.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "mutants.h"
#include "points.h"
#include "progress.h"
#include "workspace.h"

namespace grader {

// Information from Ninja about the build folders: the commands, and the sources of each object.
class ProofInputs {
 public:
  // Builds the tests of the labs' solutions on these platforms, because Ninja knows the includes of an object only
  // after it is compiled. Throws GraderError if they do not build.
  ProofInputs(const Workspace& workspace, const std::vector<Lab>& labs, const std::vector<Platform>& platforms, unsigned jobs,
              Progress& progress);

  // Returns the digest of everything that the verdict on the program depends on: its text, its entry in the manifest,
  // the tests with their points and limits, the given code, the harness, the platform layer and the earlier labs'
  // solutions as they are compiled there (commands and files of the project), the compilers, and the part of the tool
  // that gives verdicts.
  std::string of(const WrongProgram& program, const Lab& lab, const std::vector<GradedTest>& graded) const;
  std::string of(const RightProgram& program, const Lab& lab, const std::vector<GradedTest>& graded) const;

 private:
  std::string of_lab(const Platform& platform, const Lab& lab) const;

  const Workspace& workspace_;
  std::map<std::pair<std::string, int>, std::string> digests_;  // by the platform's name and the lab's number
};

// Returns the machine-independent form of a command: without a launcher such as ccache, and without the paths of the
// checkout and the build folder. `compiler` is the word that names the compiler.
std::string portable_command(const std::string& command, const std::string& compiler, const std::filesystem::path& root,
                             const std::filesystem::path& build);

}  // namespace grader
