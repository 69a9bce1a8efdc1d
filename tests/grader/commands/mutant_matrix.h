// tests/mutants/MATRIX.md: the manifests and the record of proofs, as a table for reading.
#pragma once

#include <string>
#include <vector>

#include "mutants.h"
#include "points.h"
#include "proof_record.h"

namespace grader {

struct MatrixLab {
  std::string name;
  std::vector<GradedTest> graded;
  Mutants mutants;
};

// Returns the complete file. `platforms` are those on which right programs are run.
std::string matrix_of(const std::vector<MatrixLab>& labs, const std::vector<std::string>& platforms, const ProofRecord& record);

}  // namespace grader
