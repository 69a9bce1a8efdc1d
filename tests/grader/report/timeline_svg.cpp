#include "timeline_svg.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>

#include "html.h"

namespace grader {

namespace {

constexpr std::size_t kMostLanes = 40, kMostSpans = 400, kMostListed = 150;
constexpr double kLabels = 170, kHead = 24, kLane = 22, kBar = 14, kLetter = 6.2, kAtLeast = 1080;

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string time_text(double microseconds) {
  char text[32];
  if (microseconds < 1000) std::snprintf(text, sizeof text, "%.0f us", microseconds);
  else if (microseconds < 1e6) std::snprintf(text, sizeof text, "%.2f ms", microseconds / 1000);
  else std::snprintf(text, sizeof text, "%.2f s", microseconds / 1e6);
  return text;
}

std::string text_at(double x, double y, const std::string& text, std::size_t most) {
  return "<text x=\"" + number(x) + "\" y=\"" + number(y) + "\">" + html(text.size() > most ? text.substr(0, most - 1) + "." : text) + "</text>\n";
}

// Returns the x position of each moment: the order is kept, and the width of a gap is logarithmic. A few moments use
// the full width.
std::map<double, double> places_of(const std::vector<Span>& spans) {
  std::map<double, double> places;
  for (const Span& span : spans) places[span.start] = places[span.start + span.length] = 0;
  double x = kLabels, before = places.begin()->first;
  for (auto& place : places) {
    x += place.first > before ? 6 + 8 * std::log10(1 + place.first - before) : 0;
    place.second = x;
    before = place.first;
  }
  const double wider = std::clamp((kAtLeast - kLabels) / std::max(x - kLabels, 1.0), 1.0, 3.0);
  for (auto& place : places) place.second = kLabels + (place.second - kLabels) * wider;
  return places;
}

std::string bar(const Span& span, double left, double right) {
  const double top = kHead + kLane * static_cast<double>(span.lane) + (kLane - kBar) / 2, width = std::max(right - left, 3.0);
  const std::string kind = span.failed ? "span failed" : span.open ? "span open" : "span";
  const std::string title = span.name + (span.detail.empty() ? "" : ": " + span.detail) + ", at " + time_text(span.start) +
                           (span.open ? ", not ended" : span.length > 0 ? ", for " + time_text(span.length) : "") + (span.failed ? ", failed" : "");
  return "<rect class=\"" + kind + "\" x=\"" + number(left) + "\" y=\"" + number(top) + "\" width=\"" + number(width) + "\" height=\"" + number(kBar) +
         "\" rx=\"2\"><title>" + html(title, 300) + "</title></rect>\n";
}

std::string list_of(const std::vector<Span>& spans, const std::vector<std::string>& lanes) {
  std::string rows;
  for (std::size_t i = 0; i < std::min(spans.size(), kMostListed); ++i) {
    const Span& span = spans[i];
    const std::string end = span.open ? "not ended" : span.failed ? "failed" : "";
    rows += "<tr>" + element("td", "n", time_text(span.start)) + element("td", "", html(lanes[span.lane], 60)) +
            element("td", span.failed ? "bad" : "", html(span.name, 100)) + element("td", "", html(span.detail, 200)) + element("td", "n", span.length > 0 ? time_text(span.length) : "") +
            element("td", span.failed ? "bad" : "mid", end) + "</tr>\n";
  }
  const std::string more = spans.size() > kMostListed ? element("p", "dim", std::to_string(spans.size() - kMostListed) + " more are only in the chart.") : "";
  return "<details><summary>The same as a list</summary><div class=\"wide\"><table><thead><tr><th class=\"n\">at</th><th>where</th><th>what</th><th></th><th class=\"n\">for</th><th></th></tr></thead><tbody>\n" +
         rows + "</tbody></table></div>" + more + "</details>\n";
}

}  // namespace

std::string html_timeline(const Timeline& timeline) {
  std::vector<Span> spans;
  std::size_t left_out = timeline.left_out;
  for (const Span& span : timeline.spans) {
    const bool sound = span.lane < std::min(timeline.lanes.size(), kMostLanes) && std::isfinite(span.start) && std::isfinite(span.length) && span.length >= 0;
    if (sound && spans.size() < kMostSpans) spans.push_back(span);
    else ++left_out;
  }
  if (spans.empty()) return "";
  const std::map<double, double> places = places_of(spans);
  std::size_t lanes = 0;
  for (const Span& span : spans) lanes = std::max(lanes, span.lane + 1);
  const double width = places.rbegin()->second + 40, height = kHead + kLane * static_cast<double>(lanes) + 4;

  std::string svg = "<svg role=\"img\" aria-label=\"timeline\" width=\"" + number(width) + "\" height=\"" + number(height) + "\" viewBox=\"0 0 " + number(width) + " " + number(height) + "\">\n";
  for (std::size_t i = 0; i < lanes; ++i) {
    const double y = kHead + kLane * static_cast<double>(i);
    svg += "<line class=\"lane\" x1=\"0\" x2=\"" + number(width) + "\" y1=\"" + number(y) + "\" y2=\"" + number(y) + "\"/>\n" + text_at(4, y + 15, timeline.lanes[i], 26);
  }
  double free = kLabels;  // the next free position in the head line
  for (const auto& place : places) {
    const std::string text = time_text(place.first - places.begin()->first);
    if (place.second < free) continue;
    svg += "<line class=\"lane\" x1=\"" + number(place.second) + "\" x2=\"" + number(place.second) + "\" y1=\"16\" y2=\"" + number(kHead) + "\"/>\n" + text_at(place.second, 12, text, 20);
    free = place.second + kLetter * static_cast<double>(text.size()) + 14;
  }
  for (const Span& span : spans) svg += bar(span, places.at(span.start), places.at(span.start + span.length));
  std::vector<double> used(lanes, 0);  // a name is drawn after its bar if that space is free
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const Span& span = spans[i];
    const double begin = places.at(span.start), end = places.at(span.start + span.length), need = kLetter * static_cast<double>(span.name.size()) + 6;
    double next = width;
    for (std::size_t k = i + 1; k < spans.size(); ++k) {
      if (spans[k].lane == span.lane) {
        next = places.at(spans[k].start);
        break;
      }
    }
    const double x = std::max({end, begin + 3}) + 3;
    const bool fits = x >= used[span.lane] && x + need <= next;
    used[span.lane] = std::max(used[span.lane], fits ? x + need : end);
    if (!fits) continue;
    svg += text_at(x, kHead + kLane * static_cast<double>(span.lane) + 15, span.name, 40);
  }
  svg += "</svg>\n";
  return "<div class=\"wide\">" + svg + "</div>\n" +
         element("p", "dim",
                 "Time increases to the right; long waits are shortened. Blue: done; red: failed; amber: not ended." +
                     (left_out > 0 ? " " + std::to_string(left_out) + " more bars are left out." : "")) +
         "\n" + list_of(spans, timeline.lanes);
}

}  // namespace grader
