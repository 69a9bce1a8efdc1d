// A function of GoogleTest, in place of its own.
namespace testing { void InitGoogleTest(int*, char**) {} }
