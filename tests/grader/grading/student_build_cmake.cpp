// LAB_STUDENT_DIR (add_lab.cmake) is the folder of the student files. Here it is a folder of the tool with the
// reference's files; each student's file replaces its reference while it is built.
#include <algorithm>
#include <chrono>
#include <mutex>

#include "student_build.h"
#include "student_files.h"

namespace grader {

namespace fs = std::filesystem;

namespace {

class CMakeStudentBuilder : public StudentBuilder {
 public:
  CMakeStudentBuilder(const Workspace& workspace, const Platform& platform, const std::vector<Lab>& labs, unsigned jobs, Progress& progress);
  std::string fingerprint(const LabTests& lab_tests) const override;
  StudentBuild build_student(const Lab& lab, const fs::path& file, const fs::path& bin,
                             const WrapInSandbox& wrap) const override;

 private:
  fs::path file_of(const Lab& lab) const { return students_ / lab.student_file(); }
  fs::path programs() const { return folder_.dir / "bin" / folder_.config; }
  std::string why_refused(const Lab& lab) const;

  const BuildFolder folder_;
  const fs::path students_;
  std::vector<fs::path> allowed_;  // headers that a student's file may include
  mutable std::mutex one_;         // the folder contains one student's file at a time
};

// Copies a file with a new time stamp, so that the build sees a change: a plain copy could have the old file's time.
void put(const fs::path& from, const fs::path& to) {
  fs::create_directories(to.parent_path());
  fs::copy_file(from, to, fs::copy_options::overwrite_existing);
  fs::last_write_time(to, fs::file_time_type::clock::now());
}

CMakeStudentBuilder::CMakeStudentBuilder(const Workspace& workspace, const Platform& platform, const std::vector<Lab>& labs, unsigned jobs, Progress& progress)
    : StudentBuilder(workspace, platform),
      folder_{platform.preset + "-graded", platform.preset, workspace.build / (platform.preset + "-graded"), platform.config,
              {"LAB_STUDENT_DIR=" + (workspace.build / (platform.preset + "-graded") / "students").generic_string()}},
      students_(folder_.dir / "students") {
  std::vector<std::string> targets;
  std::vector<fs::path> folders = {workspace.root / "platform/linux/include"};
  for (const Lab& lab : workspace.labs) {
    if (!workspace.has(lab.solution_file()))
      throw GraderError(lab.solution_file() + " does not exist; grading needs it");
    const fs::path solution = workspace.root / lab.solution_file();
    if (read_all(file_of(lab)) != read_all(solution)) put(solution, file_of(lab));
    folders.push_back(workspace.root / lab.name);
    allowed_.push_back(file_of(lab));
  }
  for (const Lab& lab : labs) targets.push_back(lab.name + "_graded_test");
  for (const fs::path& header : headers_in(folders)) allowed_.push_back(header);
  const BuildResult built = build(workspace, folder_, targets, jobs, progress);
  if (built.interrupted) return;
  if (!built.ok)
    throw GraderError("the project itself does not build:\n" + built.error +
                      "Complete log: " + workspace.shown(built.log));
  for (const Lab& lab : labs) add(lab, programs() / (lab.name + "_graded_test" + platform.suffix));
}

std::string CMakeStudentBuilder::fingerprint(const LabTests& lab_tests) const {
  std::string all = fingerprint_of(lab_tests.tests);
  for (const std::string& file : {lab_tests.lab.test_file(), lab_tests.lab.solution_file()})
    all += hash_of(read_all(workspace_.root / file));
  return hash_of(all);
}

// Returns the reason why the includes are rejected. MSVC writes what it read to a file next to the source; no other
// compiler is asked here.
std::string CMakeStudentBuilder::why_refused(const Lab& lab) const {
  const fs::path said = file_of(lab).string() + ".json";
  return platform_.config.empty() ? "" : check_included_json(read_all(said), allowed_);
}

StudentBuild CMakeStudentBuilder::build_student(const Lab& lab, const fs::path& file, const fs::path& bin,
                                                const WrapInSandbox& wrap) const {
  StudentBuild result;
  const std::lock_guard lock(one_);
  std::error_code ignored;
  fs::remove(file_of(lab).string() + ".json", ignored);
  put(file, file_of(lab));
  Command command;
  command.args = {"cmake", "--build", folder_.dir.string(), "--target", lab.name + "_graded_test"};
  if (!folder_.config.empty()) command.args.insert(command.args.end(), {"--config", folder_.config, "--", "/nodeReuse:false"});
  command.dir = workspace_.root;
  SandboxSpec spec;
  spec.limits = compile_limits(platform_);
  spec.read_only = {workspace_.root};
  spec.writable = {folder_.dir};
  const Ended ended = run(wrap(command, spec));
  put(workspace_.root / lab.solution_file(), file_of(lab));  // no later lab is built over an untrusted file
  result.interrupted = ended.how == Ended::How::interrupted;
  if (ended.how == Ended::How::timed_out) {
    result.error = "the compiler did not end within " + std::to_string(static_cast<int>(spec.limits.seconds)) + " s\n";
  } else if (!ended.ok() && !result.interrupted) {
    result.error = shown_error(ended, students_);
  }
  if (!ended.ok()) return result;
  result.error = why_refused(lab);
  if (!result.error.empty()) return result;
  for (const std::string end : {"_graded_test", "_graded"}) {
    const std::string program = lab.name + end + platform_.suffix;
    fs::copy_file(programs() / program, bin / program, fs::copy_options::overwrite_existing);
  }
  // Vcpkg copies libraries next to the programs
  for (const fs::directory_entry& entry : fs::directory_iterator(programs())) {
    if (entry.path().extension() == ".dll") fs::copy_file(entry.path(), bin / entry.path().filename(), fs::copy_options::overwrite_existing);
  }
  result.ok = true;
  return result;
}

}  // namespace

#ifdef _WIN32
std::unique_ptr<StudentBuilder> student_builder_of_this_system(const Workspace& workspace, const Platform& platform, const std::vector<Lab>& labs, bool, unsigned jobs,
                                             Progress& progress) {
  return cmake_student_builder(workspace, platform, labs, jobs, progress);
}
#endif

std::unique_ptr<StudentBuilder> cmake_student_builder(const Workspace& workspace, const Platform& platform, const std::vector<Lab>& labs, unsigned jobs, Progress& progress) {
  return std::make_unique<CMakeStudentBuilder>(workspace, platform, labs, jobs, progress);
}

}  // namespace grader
