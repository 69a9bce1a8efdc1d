// The same by its own name: the tests' exceptions are not constructed.
#include <stdexcept>
std::runtime_error::runtime_error(const std::string& what) : runtime_error(what.c_str()) {}
