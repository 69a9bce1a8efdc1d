// Formats a timeline for the console.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <set>

#include "timeline_text.h"

namespace grader {

namespace {

constexpr std::size_t kWidth = 100;
constexpr std::size_t kMostRows = 24;
constexpr std::size_t kLaneName = 22;

std::string fitted(std::string text, std::size_t width) {
  if (text.size() > width) text = text.substr(0, width - 3) + "...";
  text.resize(width, ' ');
  return text;
}

bool is_of_client(const std::string& lane) { return lane.starts_with("client"); }
bool is_operation(const Timeline& timeline, const Span& span) { return timeline.lanes[span.lane].find(": ") != std::string::npos; }
bool waits(const Span& span) { return span.name.starts_with("GetQueued") || span.name == "accept"; }
double end_of(const Span& span) { return span.open ? 1e300 : span.start + span.length; }

// Returns the state of a span that has not ended.
std::string result_of(const Timeline& timeline, const Span& span) {
  if (span.open) return is_operation(timeline, span) ? "is outstanding" : waits(span) ? "waits" : "does not return";
  return "";
}

// Returns one character for the lane's activity; a later character in this order replaces an earlier one.
char sign_of(const Timeline& timeline, const Span& span) {
  if (span.failed) return '!';
  if (is_operation(timeline, span)) return '=';
  if (span.length == 0 && !span.open) return '*';
  return waits(span) ? '-' : '#';
}
int rank_of(char sign) { return static_cast<int>(std::string(" -=#*!").find(sign)); }

}  // namespace

std::vector<std::string> lanes_of(const Timeline& timeline) {
  // Not to scale, because most of the time nothing happens. Each moment at which something begins or ends has the same
  // width.
  std::set<double> moments;
  for (const Span& span : timeline.spans) {
    moments.insert(span.start);
    if (!span.open) moments.insert(end_of(span));
  }
  const std::vector<double> order(moments.begin(), moments.end());
  const std::size_t columns = std::min(kWidth - kLaneName - 2, std::max<std::size_t>(order.size(), 1));
  const auto column_at = [&](double time) {
    const auto index = static_cast<std::size_t>(std::lower_bound(order.begin(), order.end(), time) - order.begin());
    return std::min(index * columns / order.size(), columns - 1);
  };
  std::vector<std::string> cells(timeline.lanes.size(), std::string(columns, ' '));
  for (const Span& span : timeline.spans) {
    const char sign = sign_of(timeline, span);
    for (std::size_t column = column_at(span.start); column <= column_at(end_of(span)); ++column) {
      char& cell = cells[span.lane][column];
      if (rank_of(sign) > rank_of(cell)) cell = sign;
    }
  }
  std::vector<std::string> rows;
  for (std::size_t lane = 0; lane < cells.size() && lane < kMostRows; ++lane) {
    std::string row = fitted(timeline.lanes[lane], kLaneName) + " " + cells[lane];
    rows.push_back(row.substr(0, row.find_last_not_of(' ') + 1));
  }
  if (cells.size() > kMostRows) rows.push_back("... and " + std::to_string(cells.size() - kMostRows) + " lanes more");
  return rows;
}

std::vector<std::string> errors_of(const Timeline& timeline) {
  static const std::map<int, std::string> kNames = {
      {6, "ERROR_INVALID_HANDLE"}, {64, "ERROR_NETNAME_DELETED"}, {258, "WAIT_TIMEOUT"}, {676, "ERROR_PORT_MESSAGE_TOO_LONG, for a closed socket on Wine"},
      {735, "ERROR_ABANDONED_WAIT_0: the port was closed"}, {995, "ERROR_OPERATION_ABORTED"}, {1168, "ERROR_NOT_FOUND: nothing to cancel"},
      {1236, "ERROR_CONNECTION_ABORTED"}, {10004, "WSAEINTR"}, {10009, "WSAEBADF"}, {10022, "WSAEINVAL"}, {10024, "WSAEMFILE"}, {10035, "WSAEWOULDBLOCK"},
      {10038, "WSAENOTSOCK"}, {10048, "WSAEADDRINUSE"}, {10050, "WSAENETDOWN"}, {10053, "WSAECONNABORTED"}, {10054, "WSAECONNRESET"},
      {10055, "WSAENOBUFS"}, {10057, "WSAENOTCONN"}, {10058, "WSAESHUTDOWN"}, {10093, "WSANOTINITIALISED"}};
  std::set<int> codes;
  for (const Span& span : timeline.spans) {
    if (const std::size_t at = span.detail.find("error "); at != std::string::npos) codes.insert(std::atoi(span.detail.c_str() + at + 6));
  }
  std::vector<std::string> lines;
  for (const auto& [code, name] : kNames) {
    if (codes.count(code) != 0) lines.push_back("error " + std::to_string(code) + ": " + name);
  }
  return lines;
}

std::vector<std::string> lines_of(const Timeline& timeline, std::size_t most) {
  std::vector<const Span*> shown;
  for (const Span& span : timeline.spans) {
    // Its call and its completion already show it
    if (!is_operation(timeline, span) || span.open) shown.push_back(&span);
  }
  std::stable_sort(shown.begin(), shown.end(), [](const Span* a, const Span* b) { return end_of(*a) < end_of(*b); });
  std::vector<std::string> lines;
  for (const Span* const span : shown) {
    const std::string& lane = timeline.lanes[span->lane];
    const bool is_moment = span->length == 0 && !span->open;
    char when[32] = "", took[32] = "";
    std::snprintf(when, sizeof when, "%10.1f", span->open ? span->start : end_of(*span));
    if (span->length > 0) std::snprintf(took, sizeof took, "%9.1f", span->length);
    std::string line = std::string(when) + "  " + fitted(is_of_client(lane) ? lane.substr(0, lane.find(':')) : lane, 10) + " ";
    if (is_moment) {
      line += (span->failed ? "!! " : "") + span->name;
    } else {
      const std::string result = result_of(timeline, *span);
      std::string detail = span->detail;
      if (const std::size_t at = detail.find("operation "); at != std::string::npos) detail.replace(at, 9, "op");
      line += fitted(span->name, 27) + fitted(took, 9) + "  " + result + (result.empty() || detail.empty() ? "" : ", ") + detail;
    }
    if (line.size() > kWidth) line = line.substr(0, kWidth - 3) + "...";
    lines.push_back(line.substr(0, line.find_last_not_of(' ') + 1));
  }
  if (lines.size() > most) {
    const std::size_t left_out = lines.size() - most;
    const auto middle = lines.begin() + static_cast<std::ptrdiff_t>(most / 3);
    const auto rest = lines.erase(middle, middle + static_cast<std::ptrdiff_t>(left_out));
    lines.insert(rest, std::string(14, ' ') + "... " + std::to_string(left_out) + " lines are left out here; the file has them ...");
  }
  return lines;
}

}  // namespace grader
