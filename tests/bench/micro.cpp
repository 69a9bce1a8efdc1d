// Measures pool and reassembly with Google Benchmark: it chooses the iterations, repeats, and interleaves at random.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <map>

#include "bench.h"
#include "pool.h"
#include "reassembly.h"

namespace {

using lab::OpKind;
using lab::OverlappedEx;

void use_heap(benchmark::State& state) {
  for (auto _ : state) {
    auto* op = new OverlappedEx;
    op->kind = OpKind::send;
    op->wsabuf = {static_cast<ULONG>(lab::kBufferSize), op->buffer};
    benchmark::DoNotOptimize(op);
    delete op;
  }
}

void use_pool(benchmark::State& state) {
  static lab::OperationPool pool(4096, lab::PoolPolicy::growing);
  for (auto _ : state) {
    OverlappedEx* op = pool.acquire(OpKind::send);
    benchmark::DoNotOptimize(op);
    pool.release(op);
  }
}

constexpr std::size_t kStream = 64 * 1024;
constexpr std::size_t kPacket = 8;

std::vector<unsigned char> stream_of_packets() {
  std::vector<unsigned char> stream(kStream, 7);
  for (std::size_t i = 0; i < kStream; i += kPacket) stream[i] = kPacket;
  return stream;
}

void use_memcpy(benchmark::State& state) {
  const std::vector<unsigned char> stream = stream_of_packets();
  std::vector<unsigned char> copy(kStream);
  for (auto _ : state) {
    std::memcpy(copy.data(), stream.data(), kStream);
    benchmark::DoNotOptimize(copy.data());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kStream));
}

struct CountSink : lab::PacketSink {
  lab::ProtocolError on_packet(std::span<const unsigned char> packet) override {
    bytes += packet.size();
    return lab::ProtocolError::none;
  }
  std::size_t bytes = 0;
};

void use_reassembler(benchmark::State& state) {
  const std::vector<unsigned char> stream = stream_of_packets();
  CountSink sink;
  lab::Reassembler reassembler;
  for (auto _ : state) {
    if (reassembler.feed(stream, sink) != lab::ProtocolError::none) state.SkipWithError("the stream is right");
  }
  benchmark::DoNotOptimize(sink.bytes);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * kStream));
}

// Stores the medians and prints nothing.
class Medians : public benchmark::BenchmarkReporter {
 public:
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.aggregate_name != "median") continue;
      const std::string name = run.run_name.function_name + (run.run_name.threads.empty() ? "" : "/" + run.run_name.threads);
      // With several threads the library divides the time of one operation by all threads.
      nanoseconds[name] = run.GetAdjustedRealTime();
      if (const auto found = run.counters.find("bytes_per_second"); found != run.counters.end()) {
        bytes_per_second[name] = found->second.value;
      }
    }
  }
  std::map<std::string, double> nanoseconds;
  std::map<std::string, double> bytes_per_second;
};

}  // namespace

namespace bench {

void pool_and_reassembly(const Settings& settings) {
  for (const int threads : {1, 2, 4}) {
    benchmark::RegisterBenchmark("heap", use_heap)->Threads(threads)->UseRealTime();
    benchmark::RegisterBenchmark("pool", use_pool)->Threads(threads)->UseRealTime();
  }
  benchmark::RegisterBenchmark("memcpy", use_memcpy)->UseRealTime();
  benchmark::RegisterBenchmark("reassembly", use_reassembler)->UseRealTime();

  std::vector<std::string> words = {"lab_bench", "--benchmark_enable_random_interleaving=true",
                                    "--benchmark_min_time=0.1",
                                    "--benchmark_repetitions=" + std::to_string(2 * settings.rounds + 1)};
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  int count = static_cast<int>(arguments.size());
  benchmark::Initialize(&count, arguments.data());
  Medians medians;
  progress("pool and reassembly");
  benchmark::RunSpecifiedBenchmarks(&medians);
  progress("");

  std::printf("\nPool: acquire and release against new and delete of %zu bytes; median of %d, interleaved\n",
              sizeof(OverlappedEx), 2 * settings.rounds + 1);
  std::printf("%8s | %10s %10s | %6s\n", "threads", "heap ns", "pool ns", "ratio");
  for (const std::string threads : {"1", "2", "4"}) {
    const std::string suffix = "/threads:" + threads;
    const double heap = medians.nanoseconds["heap" + suffix];
    const double pool = medians.nanoseconds["pool" + suffix];
    std::printf("%8s | %10.1f %10.1f | %6.2f\n", threads.c_str(), heap, pool, pool / heap);
  }
  std::printf("target: at most 0.50\n");

  const auto speed = [&](const std::string& name) {
    for (const auto& [key, value] : medians.bytes_per_second) {
      if (key.starts_with(name)) return value / 1e9;
    }
    return 0.0;
  };
  std::printf("\nReassembly: packets of %zu bytes out of %zu KiB: %.2f GB/s; memcpy of the same bytes: %.2f GB/s; ratio %.2f\n",
              kPacket, kStream / 1024, speed("reassembly"), speed("memcpy"), speed("reassembly") / speed("memcpy"));
}

}  // namespace bench
