#include "figures.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <functional>

namespace bench {
namespace {

std::string text(const char* format, ...) {
  char buffer[512];
  std::va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(buffer, sizeof buffer, format, arguments);
  va_end(arguments);
  return buffer;
}

// Formats a number with three significant digits.
std::string number(double value) {
  if (value >= 100) return text("%.0f", value);
  return value >= 10 ? text("%.1f", value) : text("%.2f", value);
}

constexpr double kAbout0 = 0.05;

using Pick = std::function<double(const Sample&)>;

Figure figure(const std::vector<Round>& rounds, const std::string& name, bool more_is_better, const Pick& pick) {
  Figure one;
  one.name = name;
  one.more_is_better = more_is_better;
  std::vector<double> yours, reference, ratios;
  for (const Round& round : rounds) {
    yours.push_back(pick(round.yours));
    reference.push_back(pick(round.reference));
    if (reference.back() > 0) ratios.push_back(yours.back() / reference.back());
  }
  one.yours = median_of(yours);
  one.reference = median_of(reference);
  one.has_ratio = ratios.size() == rounds.size() && one.reference >= kAbout0;
  if (!one.has_ratio) return one;
  one.ratio = median_of(ratios);
  one.lower = quantile_of(ratios, 0.25);
  one.upper = quantile_of(ratios, 0.75);
  return one;
}

// Returns the logarithmic distance of a ratio from 1, in the range from -1 (a quarter or less) to 1 (four times or
// more).
double offset_of(double ratio) { return std::clamp(std::log2(std::max(ratio, 1e-9)) / 2, -1.0, 1.0); }

// Returns whether the ratio is worse in three of four rounds, which is unlikely to be random.
bool is_worse(const Figure& figure) { return figure.more_is_better ? figure.upper < 0.95 : figure.lower > 1.05; }

// Returns "     ####|        " for a ratio below 1.
std::string bar_of(const Figure& figure, int half) {
  std::string bar(static_cast<std::size_t>(2 * half + 1), ' ');
  bar[static_cast<std::size_t>(half)] = '|';
  const int length = static_cast<int>(std::lround(offset_of(figure.ratio) * half));
  for (int i = std::min(0, length); i <= std::max(0, length); ++i) {
    if (i != 0) bar[static_cast<std::size_t>(half + i)] = '#';
  }
  return bar;
}

std::vector<double> latencies_of(const std::vector<Round>& rounds, bool yours) {
  std::vector<double> curve;
  for (int p = 0; p < kPercentiles; ++p) {
    std::vector<double> values;
    for (const Round& round : rounds) values.push_back((yours ? round.yours : round.reference).latency.at(static_cast<std::size_t>(p)));
    curve.push_back(median_of(values));
  }
  return curve;
}

std::string escaped(const std::string& plain) {
  std::string out;
  for (const char c : plain) {
    if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else if (c == '&') out += "&amp;";
    else if (c == '"') out += "&quot;";
    else out += c;
  }
  return out;
}

constexpr const char* kYours = "#c2410c";      // orange
constexpr const char* kReference = "#1d4ed8";  // blue

}  // namespace

double quantile_of(std::vector<double> values, double share) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double place = share * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, values.size() - 1);
  return values[below] + (values[above] - values[below]) * (place - static_cast<double>(below));
}

std::vector<Figure> figures_of(const std::vector<Round>& rounds, const std::string& message) {
  std::vector<Figure> all;
  all.push_back(figure(rounds, message + (message == "echo" ? "es" : "s") + " per second", true, [](const Sample& s) { return s.rate; }));
  for (const std::size_t p : {50u, 90u, 99u}) {
    all.push_back(figure(rounds, "latency p" + std::to_string(p) + ", us", false, [p](const Sample& s) { return s.latency.at(p - 1); }));
  }
  if (!rounds.empty() && rounds.front().reference.cpu > 0) {
    all.push_back(figure(rounds, "processor us per " + message, false, [](const Sample& s) { return s.cpu; }));
  }
  const auto has = [&](const Pick& pick) { return !rounds.empty() && pick(rounds.front().reference) >= 0; };
  const Pick calls = [](const Sample& s) { return s.calls; };
  const Pick bytes = [](const Sample& s) { return s.bytes; };
  if (has(calls)) all.push_back(figure(rounds, "completion calls per " + message, false, calls));
  all.push_back(figure(rounds, "calls of new per " + message, false, [](const Sample& s) { return s.news; }));
  if (has(bytes)) all.push_back(figure(rounds, "bytes per position sent", false, bytes));
  return all;
}

std::string table_of(const std::vector<Figure>& figures, const std::string& yours, const std::string& reference) {
  std::string table = text("%-28s %10s %10s %7s  %-14s %s\n", "", yours.c_str(), reference.c_str(), "ratio", "half between", "1/4 . . 1 . . 4");
  for (const Figure& figure : figures) {
    table += text("%-28.28s %10s %10s ", figure.name.c_str(), number(figure.yours).c_str(), number(figure.reference).c_str());
    if (figure.has_ratio) {
      const std::string range = number(figure.lower) + ".." + number(figure.upper);
      table += text("%7s  %-14s %s%s", number(figure.ratio).c_str(), range.c_str(), bar_of(figure, 7).c_str(), is_worse(figure) ? " worse" : "");
    } else {
      table += text("%7s  %s", "-", figure.yours < kAbout0 ? "neither makes any" : (reference + " makes none").c_str());
    }
    table.erase(table.find_last_not_of(' ') + 1);
    table += "\n";
  }
  return table;
}

std::string svg_of(const std::vector<Figure>& figures, const std::vector<Round>& rounds, const std::string& title) {
  constexpr double kMiddle = 420, kHalf = 130, kTop = 70, kRow = 30;
  const double bars_end = kTop + kRow * static_cast<double>(figures.size());
  const double top = bars_end + 60, height = 220, left = 90, width = 560;
  std::string svg = text("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 %.0f\" font-family=\"sans-serif\" font-size=\"13\">\n"
                         "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text x=\"20\" y=\"28\" font-size=\"16\" font-weight=\"bold\">",
                         top + height + 60);
  svg += escaped(title.substr(0, 120)) + "</text>\n";
  svg += text("<text x=\"20\" y=\"48\" fill=\"#555\">ratio of yours to the reference; %zu rounds, half of them are on the thin line</text>\n", rounds.size());
  for (const double ratio : {0.25, 0.5, 1.0, 2.0, 4.0}) {
    const double x = kMiddle + kHalf * offset_of(ratio);
    svg += text("<line x1=\"%.1f\" y1=\"%.0f\" x2=\"%.1f\" y2=\"%.0f\" stroke=\"%s\"/><text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\" fill=\"#555\">%g</text>\n", x, kTop - 6,
                x, bars_end, ratio == 1 ? "#333" : "#ddd", x, bars_end + 16, ratio);
  }
  double y = kTop;
  for (const Figure& figure : figures) {
    svg += text("<text x=\"20\" y=\"%.0f\">", y + 14) + escaped(figure.name) + "</text>\n";
    if (figure.has_ratio) {
      const double from = kMiddle + kHalf * std::min(0.0, offset_of(figure.ratio)), size = kHalf * std::abs(offset_of(figure.ratio));
      svg += text("<rect x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"16\" fill=\"%s\"/>", from, y + 2, size, is_worse(figure) ? kYours : "#15803d");
      svg += text("<line x1=\"%.1f\" y1=\"%.0f\" x2=\"%.1f\" y2=\"%.0f\" stroke=\"#333\"/>", kMiddle + kHalf * offset_of(figure.lower), y + 10,
                  kMiddle + kHalf * offset_of(figure.upper), y + 10);
    }
    svg += text("<text x=\"570\" y=\"%.0f\">%s (%s : %s)</text>\n", y + 14, figure.has_ratio ? number(figure.ratio).c_str() : "-", number(figure.yours).c_str(),
                number(figure.reference).c_str());
    y += kRow;
  }
  // The latency of each percentile, with a logarithmic axis.
  const std::vector<double> yours = latencies_of(rounds, true), reference = latencies_of(rounds, false);
  double low = 1e300, high = 0;
  for (const std::vector<double>* const curve : {&yours, &reference}) {
    for (const double value : *curve) {
      low = std::min(low, std::max(value, 1.0));
      high = std::max(high, std::max(value, 1.0));
    }
  }
  const double first = std::floor(std::log10(low)), last = std::max(first + 1, std::ceil(std::log10(high)));
  const auto y_of = [&](double value) { return top + height * (1 - (std::log10(std::max(value, 1.0)) - first) / (last - first)); };
  svg += text("<text x=\"20\" y=\"%.0f\" font-weight=\"bold\">latency in us, by percentile</text>\n", top - 14);
  for (double power = first; power <= last; ++power) {
    const double at = y_of(std::pow(10, power));
    svg += text("<line x1=\"%.0f\" y1=\"%.1f\" x2=\"%.0f\" y2=\"%.1f\" stroke=\"#ddd\"/><text x=\"%.0f\" y=\"%.1f\" text-anchor=\"end\" fill=\"#555\">%.0f</text>\n", left, at,
                left + width, at, left - 8, at + 4, std::pow(10, power));
  }
  for (const int p : {1, 25, 50, 75, 90, 99}) {
    svg += text("<text x=\"%.1f\" y=\"%.0f\" text-anchor=\"middle\" fill=\"#555\">p%d</text>\n", left + width * p / 100, top + height + 18, p);
  }
  const auto curve = [&](const std::vector<double>& values, const char* colour, const char* name, double label) {
    std::string points;
    for (int p = 1; p <= kPercentiles; ++p) points += text("%.1f,%.1f ", left + width * p / 100, y_of(values[static_cast<std::size_t>(p - 1)]));
    svg += "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"" + std::string(colour) + "\" points=\"" + points + "\"/>\n";
    svg += text("<text x=\"%.0f\" y=\"%.0f\" fill=\"%s\">%s</text>\n", label, top + height + 44, colour, name);
  };
  curve(reference, kReference, "the reference", left);
  curve(yours, kYours, "yours", left + 120);
  return svg + "</svg>\n";
}

}  // namespace bench
