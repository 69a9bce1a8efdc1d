// Unpacks what students hand in, in the sandbox: archive_posix.cpp by GNU tar and unzip, archive_win32.cpp by Windows' tar.
#pragma once

#include <string>
#include <vector>

#include "sandbox.h"
#include "workspace.h"

namespace grader {

constexpr std::uint64_t kMostArchive = 200 << 20;  // bytes of the archive, and of all that is in it
constexpr std::size_t kMostOfOneName = 20;         // files of one lab's name

// ".zip", ".tar.gz", ".tgz" or ".tar", when the name ends so, in whatever case; otherwise empty.
std::string archive_end(const std::filesystem::path& path);
bool is_archive(const std::filesystem::path& path);

// Takes the students' files, and only these, into the empty folder `into`. Returns why the archive is refused; empty:
// it was not. What lies in `into` then is still a stranger's: there may be links in it.
std::string unpack(const std::filesystem::path& archive, const std::vector<Lab>& labs, const Sandbox& sandbox,
                   const std::filesystem::path& into);

// Why this list of names, one a line, is refused; empty: it is not.
std::string refuse_names(const std::string& list);

}  // namespace grader
