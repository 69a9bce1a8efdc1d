#include "timeline.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include <nlohmann/json.hpp>

namespace grader {

namespace {

using json = nlohmann::ordered_json;

constexpr std::size_t kMostLine = 400;   // bytes
constexpr std::size_t kMostLanes = 128;
constexpr std::size_t kMostSpans = 4000;
constexpr std::size_t kMostName = 80;    // bytes
constexpr double kMostTime = 1e9;        // microseconds

// Parses one event per line, as the test program writes them. A broken line affects only itself.
std::vector<json> events_of(const std::string& text) {
  std::vector<json> events;
  const std::size_t end = std::min(text.size(), kMostTimeline);
  for (std::size_t at = 0; at < end;) {
    const std::size_t stop = std::min(text.find('\n', at), end);
    const std::size_t first = text.find_first_not_of("[, ", at);
    if (first < stop && stop - first <= kMostLine) {
      json event = json::parse(text.begin() + static_cast<std::ptrdiff_t>(first), text.begin() + static_cast<std::ptrdiff_t>(stop), nullptr, false);
      if (event.is_object()) events.push_back(std::move(event));
    }
    at = stop + 1;
  }
  return events;
}

std::string text_in(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return "";
  std::string text = found->get<std::string>().substr(0, kMostName);
  std::replace_if(text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

// Returns the number, or 0 if it is missing or out of range.
double number_in(const json& object, const char* key, double most) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return 0;
  const double value = found->get<double>();
  return std::isfinite(value) && value >= 0 && value <= most ? value : 0;
}

std::string detail_of(const json& args) {
  std::string detail;
  const auto add = [&](const std::string& text) { detail += (detail.empty() ? "" : ", ") + text; };
  const auto number = [&](const char* key) { return std::to_string(static_cast<unsigned long long>(number_in(args, key, 1e15))); };
  for (const char* const key : {"listener", "client", "operation"}) {
    if (args.contains(key)) add(key + (" " + number(key)));
  }
  for (const std::string key : {"packets", "bytes"}) {
    if (args.contains(key)) add(number(key.c_str()) + " " + (number(key.c_str()) == "1" ? key.substr(0, key.size() - 1) : key));
  }
  if (args.contains("posted")) add("a posted packet");
  if (args.contains("pending")) add("pending");
  if (args.contains("error")) add("error " + number("error"));
  return detail;
}

using Key = std::pair<unsigned, unsigned>;  // process and thread of the trace: threads are in process 1, clients in 2
Key key_of(const json& event) { return {static_cast<unsigned>(number_in(event, "pid", 1e9)), static_cast<unsigned>(number_in(event, "tid", 1e9))}; }

}  // namespace

std::optional<Timeline> parse_timeline(const std::string& text) {
  Timeline timeline;
  std::map<Key, std::string> names;
  std::vector<std::pair<Key, Span>> spans;
  for (const json& event : events_of(text)) {
    const std::string kind = text_in(event, "ph");
    const json args = event.contains("args") && event["args"].is_object() ? event["args"] : json::object();
    const Key key = key_of(event);
    if (kind == "M") {
      if (text_in(event, "name") == "thread_name") names[key] = text_in(args, "name");
      timeline.left_out = std::max(timeline.left_out, static_cast<std::size_t>(number_in(args, "left_out", 1e15)));
    } else if ((kind == "B" || kind == "X" || kind == "i") && spans.size() < kMostSpans) {
      Span span;
      span.name = text_in(event, "name");
      span.detail = detail_of(args);
      span.start = number_in(event, "ts", kMostTime);
      span.length = kind == "X" ? number_in(event, "dur", kMostTime) : 0;
      span.failed = args.contains("failed") || args.contains("error");
      span.open = kind == "B";
      spans.emplace_back(key, std::move(span));
    }
  }
  if (spans.empty()) return std::nullopt;
  std::stable_sort(spans.begin(), spans.end(), [](const auto& a, const auto& b) { return a.second.start < b.second.start; });
  std::map<Key, std::size_t> lanes;  // the lanes with at least one span, in order
  for (const auto& [key, span] : spans) {
    if (lanes.size() < kMostLanes) lanes.emplace(key, 0);
  }
  for (auto& [key, index] : lanes) {
    index = timeline.lanes.size();
    const auto named = names.find(key);
    timeline.lanes.push_back(named != names.end() && !named->second.empty() ? named->second : "lane " + std::to_string(key.second));
  }
  const double first = spans.front().second.start;
  for (auto& [key, span] : spans) {
    const auto lane = lanes.find(key);
    if (lane == lanes.end()) continue;
    span.lane = lane->second;
    span.start -= first;
    timeline.spans.push_back(std::move(span));
  }
  return timeline;
}

std::string tidy_timeline(const std::string& text) {
  if (!parse_timeline(text)) return "";
  std::string tidy;
  for (const json& event : events_of(text)) {
    // An untrusted event may become longer when it is rewritten: bytes become escapes.
    const std::string line = event.dump(-1, ' ', true, json::error_handler_t::replace);
    if (tidy.size() + line.size() + 4 > kMostTimeline) break;
    tidy += (tidy.empty() ? "[" : "\n,") + line;
  }
  return tidy + "\n]\n";
}

}  // namespace grader
