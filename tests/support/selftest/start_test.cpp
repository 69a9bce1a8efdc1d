// What a constructor does to the arguments and the environment has no effect on the test program.
#include <gtest/gtest.h>

#include <cstdlib>
#include <cstring>

#include "conductor.h"
#include "start.h"
#include "waiting.h"

#ifdef __linux__

namespace test {
namespace {

// As one in the code under test could. The test programs of this file would else list their tests, or play one seed.
__attribute__((constructor(101))) void change_all(int count, char** arguments, char** environment) {
  for (int i = 1; i < count; ++i) arguments[i] = const_cast<char*>("--gtest_list_tests");
  for (; *environment != nullptr; ++environment) *environment = const_cast<char*>("LAB_SEED=1");
}

TEST(Start, AConstructorChangesNothing) {
  if (start_setting("LAB_SEED") != nullptr) GTEST_SKIP() << "one seed was asked for";
  EXPECT_EQ(std::getenv("LAB_SEED"), nullptr);
  EXPECT_NE(start_setting("PATH"), nullptr);
  EXPECT_GT(seeds_to_play(20), 1u);
}

TEST(Start, ASettingIsFoundByItsWholeName) {
  EXPECT_EQ(start_setting("PAT"), nullptr);
  EXPECT_STREQ(start_setting("PATH"), std::getenv("PATH"));
}

}  // namespace
}  // namespace test

#endif
