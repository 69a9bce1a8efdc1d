#include "timeline.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#ifdef _WIN32
#include "win32.h"
#else
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace test {
namespace {

constexpr unsigned kThreadLanes = 1;  // as processes of the trace
constexpr unsigned kClientLanes = 2;

// The lanes of a client: one for itself, some for its receives, the rest for its sends. Bars of one lane must not overlap.
constexpr unsigned kLanesOfClient = 16;
constexpr unsigned kFirstSend = 4;

// Null when it cannot be mapped. It stays mapped until the process ends.
char* map_file(const char* path, std::size_t size) {
#ifdef _WIN32
  const HANDLE file = ::CreateFileA(path, GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, nullptr, CREATE_ALWAYS, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (file == INVALID_HANDLE_VALUE) return nullptr;
  const HANDLE mapping = ::CreateFileMappingA(file, nullptr, PAGE_READWRITE, 0, static_cast<DWORD>(size), nullptr);
  return mapping == nullptr ? nullptr : static_cast<char*>(::MapViewOfFile(mapping, FILE_MAP_WRITE, 0, 0, size));
#else
  const int file = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file < 0) return nullptr;
  void* memory = MAP_FAILED;
  if (::ftruncate(file, static_cast<off_t>(size)) == 0) memory = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ::close(file);
  return memory == MAP_FAILED ? nullptr : static_cast<char*>(memory);
#endif
}

// The text as it may stand in a JSON string, not too long.
struct Plain {
  explicit Plain(const char* from) {
    std::size_t n = 0;
    for (; from[n] != '\0' && n + 1 < sizeof text; ++n) {
      const bool plain = from[n] >= ' ' && from[n] <= '~' && from[n] != '"' && from[n] != '\\';
      text[n] = plain ? from[n] : '\'';
    }
    text[n] = '\0';
  }
  char text[80];
};

}  // namespace

void Timeline::open(const char* file) {
  file_ = map_file(file, kFile);
  if (file_ == nullptr) std::fprintf(stderr, "LAB_TIMELINE: %s cannot be written\n", file);
  restart();
}

void Timeline::restart() {
  if (!recording()) return;
  began_ = Clock::now();
  first_number_ = last_number_ + 1;
  used_ = 0;
  next_ = kFirst;
  lost_ = 0;
  held_.fill({});
  lane_count_ = 0;
  busy_.fill(0);
  std::memset(file_, ' ', kFile);
  file_[kFile - 2] = ']';
  file_[kFile - 1] = '\n';
  print(0, R"([{"ph":"M","pid":%u,"name":"process_name","args":{"name":"threads"}})", kThreadLanes);
  print(1, R"(,{"ph":"M","pid":%u,"name":"process_name","args":{"name":"clients"}})", kClientLanes);
}

// A line that does not fit is left out.
void Timeline::print(std::size_t slot, const char* format, ...) {
  char line[kSlot];
  std::va_list arguments;
  va_start(arguments, format);
  const int size = std::vsnprintf(line, sizeof line, format, arguments);
  va_end(arguments);
  if (size < 0 || static_cast<std::size_t>(size) >= sizeof line) return;
  std::memset(line + size, ' ', sizeof line - static_cast<std::size_t>(size));
  line[kSlot - 1] = '\n';
  std::memcpy(file_ + slot * kSlot, line, kSlot);
}

// Names the lane in the file when it is new. False when there are too many.
bool Timeline::know_lane(unsigned process, unsigned lane) {
  const unsigned key = process << 28 | lane;
  const auto end = lanes_.begin() + static_cast<std::ptrdiff_t>(lane_count_);
  if (std::find(lanes_.begin(), end, key) != end) return true;
  if (lane_count_ == kLanes) return false;
  char name[64];
  if (process == kThreadLanes) {
    std::snprintf(name, sizeof name, lane == 0 ? "the test" : "thread %u", lane);
  } else {
    const unsigned k = lane % kLanesOfClient;
    const unsigned row = k < kFirstSend ? k : k - kFirstSend + 1;  // of overlapping ones
    const int size = std::snprintf(name, sizeof name, "client %u%s", lane / kLanesOfClient, k == 0 ? "" : k < kFirstSend ? ": receives" : ": sends");
    if (row > 1) std::snprintf(name + size, sizeof name - static_cast<std::size_t>(size), " (%u)", row);
  }
  print(kHead + lane_count_, R"(,{"ph":"M","pid":%u,"tid":%u,"name":"thread_name","args":{"name":"%s"}})", process, lane, name);
  lanes_[lane_count_++] = key;
  return true;
}

// The next one that nobody has yet; then the oldest of the last ones, but no open bar: it may be what the test hangs in.
std::size_t Timeline::free_slot() {
  if (used_ < kEvents) return used_++;
  const auto turn = [this] { next_ = next_ + 1 < kEvents ? next_ + 1 : kFirst; };
  for (int tries = 0; tries < 64 && held_[next_].open; ++tries) turn();
  const std::size_t slot = next_;
  turn();
  print(2, R"(,{"ph":"M","pid":%u,"name":"process_labels","args":{"labels":"some events are left out","left_out":%llu}})", kThreadLanes,
        static_cast<unsigned long long>(++lost_));
  return slot;
}

void Timeline::begin(Bar& bar) {
  if (!know_lane(bar.process, bar.lane)) return;
  bar.number = ++last_number_;
  bar.slot = free_slot();
  bar.start = now();
  held_[bar.slot] = {bar.number, true};
  write(bar, false);
}

Timeline::Bar Timeline::call(unsigned thread, const char* name, const Facts& facts) {
  Bar bar;
  bar.process = kThreadLanes;
  bar.lane = thread;
  bar.name = name;
  bar.facts = facts;
  if (recording()) begin(bar);
  return bar;
}

Timeline::Bar Timeline::operation(bool is_send, const Facts& facts) {
  Bar bar;
  bar.process = kClientLanes;
  bar.name = is_send ? "send" : "receive";
  bar.facts = facts;
  if (!recording() || facts.client >= kClients) return bar;
  std::uint16_t& busy = busy_[facts.client];
  const unsigned end = is_send ? kLanesOfClient : kFirstSend;
  for (unsigned k = is_send ? kFirstSend : 1; k < end; ++k) {
    if ((busy >> k & 1u) != 0) continue;
    bar.lane = facts.client * kLanesOfClient + k;
    begin(bar);
    if (bar.number != 0) busy = static_cast<std::uint16_t>(busy | 1u << k);
    break;
  }
  return bar;
}

void Timeline::end(Bar& bar) {
  if (!recording() || bar.number < first_number_) return;
  if (bar.process == kClientLanes) {
    std::uint16_t& busy = busy_[bar.facts.client];
    busy = static_cast<std::uint16_t>(busy & ~(1u << bar.lane % kLanesOfClient));
  }
  if (held_[bar.slot].number == bar.number) {
    held_[bar.slot].open = false;
    write(bar, true);
  }
  bar.number = 0;
}

void Timeline::write(const Bar& bar, bool over) {
  char args[160] = "";
  std::size_t size = 0;
  const auto add = [&](const char* name, unsigned long long value) {
    const int more = std::snprintf(args + size, sizeof args - size, "%s\"%s\":%llu", size == 0 ? "" : ",", name, value);
    size = std::min(sizeof args - 1, size + static_cast<std::size_t>(std::max(0, more)));
  };
  const Facts& facts = bar.facts;
  if (facts.listener != 0) add("listener", facts.listener);
  if (facts.client != 0) add("client", facts.client);
  if (facts.packets > 1) {
    add("packets", facts.packets);
  } else if (facts.operation != 0) {
    add("operation", facts.operation);
  }
  if (facts.bytes >= 0) add("bytes", static_cast<unsigned long long>(facts.bytes));
  if (facts.posted) add("posted", 1);
  if (facts.pending) add("pending", 1);
  if (facts.failed) add("failed", 1);
  if (facts.error != 0) add("error", facts.error);
  char length[32] = "";
  if (over) std::snprintf(length, sizeof length, R"("dur":%.3f,)", now() - bar.start);
  print(kHead + kLanes + bar.slot, R"(,{"ph":"%s","pid":%u,"tid":%u,"ts":%.3f,%s"name":"%s","args":{%s}})", over ? "X" : "B",
        bar.process, bar.lane, bar.start, length, bar.name, args);
}

void Timeline::moment(unsigned process, unsigned lane, const char* text, bool failed) {
  if (!recording() || !know_lane(process, lane)) return;
  const std::size_t slot = free_slot();
  held_[slot] = {++last_number_, false};
  print(kHead + kLanes + slot, R"(,{"ph":"i","s":"t","pid":%u,"tid":%u,"ts":%.3f,"name":"%s","args":{%s}})", process, lane, now(),
        Plain(text).text, failed ? R"("failed":1)" : "");
}

void Timeline::moment_of_thread(unsigned thread, const char* text, bool failed) { moment(kThreadLanes, thread, text, failed); }
void Timeline::moment_of_client(unsigned client, const char* text) { moment(kClientLanes, client * kLanesOfClient, text, false); }

}  // namespace test
