// Unpacks submitted archives in the sandbox: archive_posix.cpp with GNU tar and unzip, archive_win32.cpp with Windows'
// tar.
#pragma once

#include <string>
#include <vector>

#include "sandbox.h"
#include "workspace.h"

namespace grader {

constexpr std::uint64_t kMostArchive = 200 << 20;  // bytes of the archive, and of its unpacked contents
constexpr std::size_t kMostOfOneName = 20;         // files with the name of one lab's file

// Returns the archive's suffix, ".zip", ".tar.gz", ".tgz" or ".tar", in any case, or an empty string if there is none.
std::string archive_end(const std::filesystem::path& path);
bool is_archive(const std::filesystem::path& path);

// Extracts the students' files, and only these, into the empty folder `into`. Returns the reason why the archive is
// rejected, or an empty string. The files in `into` are still untrusted: they may be links.
std::string unpack(const std::filesystem::path& archive, const std::vector<Lab>& labs, const Sandbox& sandbox,
                   const std::filesystem::path& into);

// Returns the reason why this list of names, one per line, is rejected, or an empty string if it is allowed.
std::string refuse_names(const std::string& list);

}  // namespace grader
