// main of every lab's tests: Winsock, and an explanation for every way in which a test can end the process.
#include <cstdlib>
#include <exception>
#include <vector>

#include "handles.h"
#include "not_started.h"
#include "seam.h"
#include "start.h"
#include "story.h"

namespace {

// An exception left a thread that the test did not start.
void on_terminate() {
  try {
    if (const std::exception_ptr error = std::current_exception()) std::rethrow_exception(error);
    test::end_process("crash: std::terminate was called", EXIT_FAILURE);
  } catch (const lab::NotStarted& error) {
    test::end_process(error.what(), lab::kExitNotStarted);
  } catch (const std::exception& error) {
    test::end_process(std::string("crash: a thread ended with an exception: ") + error.what(), EXIT_FAILURE);
  } catch (...) {
    test::end_process("crash: a thread ended with an unknown exception", EXIT_FAILURE);
  }
}

// exit(0) in the middle of a test would look like success.
void on_exit_call() {
  if (test::test_is_running()) test::end_process("early exit: the code under test ended the process", test::kExitEarly);
}

}  // namespace

int main(int argc, char** argv) {
  std::set_terminate(&on_terminate);
  std::atexit(&on_exit_call);
  std::vector<char*> arguments = test::start_arguments(argc, argv);
  int count = static_cast<int>(arguments.size()) - 1;
  ::testing::InitGoogleTest(&count, arguments.data());
  lab::WinsockSession winsock;
  test::install_seam();
  if (const char* const file = test::start_setting("LAB_TIMELINE")) test::record_timeline(file);
  return RUN_ALL_TESTS();
}
