// The sandbox on Windows: a job object. It limits time, memory and processes; it does not hide files or the network.
#include "sandbox.h"

namespace grader {

Sandbox::Sandbox(const std::filesystem::path&) : kind_(Kind::job) {}

std::string Sandbox::description() const {
  return "a job object: limits on time, memory and processes; a submission sees this computer's files and network";
}

Command Sandbox::wrap(const Command& inner, const SandboxSpec& spec) const {
  Command outer = inner;
  outer.limit = spec.limits.seconds;
  outer.job = {spec.limits.memory, spec.limits.processes, spec.limits.seconds, true};
  return outer;
}

}  // namespace grader
