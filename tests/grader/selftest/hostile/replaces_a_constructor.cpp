// The same by its own name: the errors of the tests do not come to be.
#include <stdexcept>
std::runtime_error::runtime_error(const std::string& what) : runtime_error(what.c_str()) {}
