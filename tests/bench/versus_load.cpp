#include "versus_load.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <stdexcept>
#include <thread>

#include "bots.h"
#include "child_server.h"
#include "counters.h"
#include "handles.h"
#include "load.h"

namespace bench {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t kEchoClients = 50;
constexpr unsigned kBots = 20;
constexpr std::size_t kBurst = 64;  // clients that connect at the same time

// Shared memory that the server finds through its environment.
class SharedCounters {
 public:
  SharedCounters() {
    std::string name = (std::filesystem::temp_directory_path() / "lab_counters_XXXXXX").string();
    const int file = ::mkstemp(name.data());
    if (file < 0) throw std::runtime_error("cannot create a temporary file");
    name_ = name;
    void* memory = MAP_FAILED;
    if (::ftruncate(file, sizeof(Counters)) == 0) memory = ::mmap(nullptr, sizeof(Counters), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    ::close(file);
    if (memory == MAP_FAILED) throw std::runtime_error("cannot share memory with the server");
    counters_ = new (memory) Counters;
    ::setenv(kCountersVariable, name.c_str(), 1);
  }
  ~SharedCounters() {
    ::munmap(counters_, sizeof(Counters));
    ::unlink(name_.c_str());
  }
  SharedCounters(const SharedCounters&) = delete;
  SharedCounters& operator=(const SharedCounters&) = delete;
  const Counters& operator*() const { return *counters_; }

 private:
  std::string name_;
  Counters* counters_ = nullptr;
};

// The counts since its construction.
class Counted {
 public:
  Counted(const ChildServer& server, const Counters& counters)
      : server_(server), counters_(counters), cpu_(server.cpu_seconds()), calls_(counters.completion_calls), news_(counters.news) {}
  void fill(Sample& sample, double messages) const {
    sample.cpu = (server_.cpu_seconds() - cpu_) * 1e6 / messages;
    sample.calls = static_cast<double>(counters_.completion_calls - calls_) / messages;
    sample.news = static_cast<double>(counters_.news - news_) / messages;
  }

 private:
  const ChildServer& server_;
  const Counters& counters_;
  const double cpu_;
  const std::uint64_t calls_, news_;
};

std::vector<double> percentiles_of(const bots::Latencies& latencies) {
  std::vector<double> values;
  for (int p = 1; p <= kPercentiles; ++p) values.push_back(static_cast<double>(latencies.percentile(p / 100.0)));
  return values;
}

// Returns percentiles in microseconds. The input is in nanoseconds, so that a few microseconds can be resolved.
std::vector<double> percentiles_of_fine(const bots::Latencies& latencies) {
  std::vector<double> values = percentiles_of(latencies);
  for (double& value : values) value /= 1000;
  return values;
}

// Labs 1 and 2: clients connect, first one by one for the latency, then many at once for the rate. `done` counts those
// that the server has handled.
Sample measure_accepts(const ChildServer& server, const Counters& counters, const std::atomic<std::uint64_t>& done, double seconds,
                        const std::atomic<bool>& stop) {
  std::uint64_t connected = 0;
  const auto wait_for_all = [&] {
    const auto deadline = Clock::now() + std::chrono::seconds(5);
    while (done.load(std::memory_order_relaxed) < connected) {
      if (Clock::now() > deadline) throw std::runtime_error("a client connected, but the server did not accept it within 5 s");
      std::this_thread::yield();
    }
  };
  // A server of lab 1 never closes a socket: so the number of clients is limited by the number of open files.
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const std::uint64_t most = std::min<std::uint64_t>(20000, files.rlim_cur - 200);
  const auto continues = [&](double until, Clock::time_point begin, std::uint64_t limit) {
    return !stop && connected + kBurst <= limit && std::chrono::duration<double>(Clock::now() - begin).count() < until;
  };

  Sample sample;
  bots::Latencies latencies;
  for (int warm_up = 0; warm_up < 50; ++warm_up) {
    const Connections one(server.port(), 1);
    ++connected;
    wait_for_all();
  }
  const std::uint64_t first = connected;
  const Counted counted(server, counters);
  for (const auto begin = Clock::now(); continues(seconds / 2, begin, most / 2);) {
    const auto start = Clock::now();
    const Connections one(server.port(), 1);
    ++connected;
    wait_for_all();
    latencies.add(static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - start).count()));
  }
  Clock::duration busy{};
  const std::uint64_t before = connected;
  for (const auto begin = Clock::now(); continues(seconds / 2, begin, most);) {
    const auto start = Clock::now();
    const Connections many(server.port(), kBurst);
    connected += kBurst;
    wait_for_all();
    busy += Clock::now() - start;
  }
  if (stop) return sample;
  sample.rate = static_cast<double>(connected - before) / std::chrono::duration<double>(busy).count();
  sample.latency = percentiles_of_fine(latencies);
  counted.fill(sample, static_cast<double>(connected - first));
  return sample;
}

// Labs 3 and 4.
Sample measure_echoes(const ChildServer& server, const Counters& counters, double seconds, const std::atomic<bool>& stop) {
  Sample sample;
  bots::Latencies latencies;
  std::unique_ptr<Counted> counted;
  LoadWatch watch;
  watch.stop = &stop;
  watch.on_warm = [&] { counted = std::make_unique<Counted>(server, counters); };
  watch.on_round_trip = [&](std::chrono::nanoseconds time) { latencies.add(static_cast<std::uint64_t>(time.count())); };
  const LoadResult result = run_load(server.port(), kEchoClients, seconds, watch);
  if (stop) return sample;
  sample.rate = result.round_trips_per_second;
  sample.latency = percentiles_of_fine(latencies);
  counted->fill(sample, static_cast<double>(latencies.count()));
  return sample;
}

// Labs 5 and 6. The log-ins are counted, too: a few of many packets.
Sample measure_game(const ChildServer& server, const Counters& counters, double seconds, const std::atomic<bool>& stop) {
  bots::Options options;
  options.port = server.port();
  options.bots = kBots;
  options.seconds = seconds;
  options.stop = &stop;
  const Counted counted(server, counters);
  const bots::Report report = bots::run(options);
  Sample sample;
  if (stop) return sample;
  if (report.outcome != bots::Outcome::ok) throw std::runtime_error(report.failure);
  sample.rate = static_cast<double>(report.moves) / report.seconds;
  sample.latency = percentiles_of(report.latency);
  counted.fill(sample, static_cast<double>(report.moves + report.logins));
  sample.bytes = static_cast<double>(report.bytes_received) / static_cast<double>(std::max<std::uint64_t>(1, report.positions));
  return sample;
}

}  // namespace

Course course_of(int lab) {
  const std::vector<std::string> any = {"--port", "0", "--max-clients", "30000"};
  std::vector<std::string> workers = any;
  workers.insert(workers.end(), {"--threads", "2"});
  switch (lab) {
    case 1: return {lab, "accept", any};
    case 2: return {lab, "client", any};
    case 3: return {lab, "echo", any};
    case 4: return {lab, "echo", workers};
    case 5:
    case 6: return {lab, "move", workers};
  }
  throw std::invalid_argument("there are no measurements for lab " + std::to_string(lab));
}

Sample measure(const Course& course, const std::filesystem::path& program, double seconds, const std::atomic<bool>& stop) {
  const SharedCounters counters;
  std::vector<std::string> command = {program.string()};
  command.insert(command.end(), course.options.begin(), course.options.end());
  ChildServer server(command);
  try {
    switch (course.lab) {
      case 1: {
        Sample sample = measure_accepts(server, *counters, (*counters).accepts, seconds, stop);
        sample.calls = -1;
        return sample;
      }
      case 2: return measure_accepts(server, *counters, (*counters).receives, seconds, stop);
      case 3:
      case 4: return measure_echoes(server, *counters, seconds, stop);
      default: return measure_game(server, *counters, seconds, stop);
    }
  } catch (const std::exception& error) {
    throw std::runtime_error(std::string(error.what()) + server.last_words());
  }
}

}  // namespace bench
