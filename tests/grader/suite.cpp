#include "commands.h"
namespace grader {
int run_suite(const Workspace&, const SuiteOptions&) { return 5; }
std::string suite_stages(const Workspace&) { return "none"; }
}
