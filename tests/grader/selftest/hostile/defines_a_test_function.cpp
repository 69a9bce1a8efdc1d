// Defines a function of GoogleTest.
namespace testing { void InitGoogleTest(int*, char**) {} }
