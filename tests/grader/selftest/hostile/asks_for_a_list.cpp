// A constructor gets main's arguments and may change them, so that GoogleTest lists its tests instead of running them.
__attribute__((constructor)) static void before_main(int count, char** arguments, char**) {
  for (int i = 1; i < count; ++i) arguments[i] = const_cast<char*>("--gtest_list_tests");
}
