// The box on Windows: a job object. It bounds time, memory and processes; it hides no files and no network.
#include "sandbox.h"

namespace grader {

Sandbox::Sandbox(const std::filesystem::path&) : kind_(Kind::job) {}

std::string Sandbox::description() const {
  return "a job object: limits on time, memory and processes; a submission sees this computer's files and network";
}

Command Sandbox::wrap(const Command& inner, const Box& box) const {
  Command outer = inner;
  outer.limit = box.limits.seconds;
  outer.job = {box.limits.memory, box.limits.processes, box.limits.seconds, true};
  return outer;
}

}  // namespace grader
