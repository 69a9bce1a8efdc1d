#include "html.h"

#include <cstdint>
#include <cstdio>
#include <vector>

#include "diff.h"

namespace grader {

namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --ground: #fff; --text: #1c2024; --dim: #5c6570; --line: #d5dae0; --soft: #f4f6f8;
  --link: #0b57b0; --good: #10702f; --bad: #b3261e; --mid: #8a5a00; --gone: #fde8e6; --come: #e2f5e6; --full: #d8f0de;
  --part: #fff1cc; --none: #fbdedb; --bar: #3f7fce; }
@media (prefers-color-scheme: dark) { :root { --ground: #15181c; --text: #e4e7eb; --dim: #9ba5b1; --line: #363c45;
  --soft: #1e2329; --link: #7db4f5; --good: #6fcf8a; --bad: #ff8f86; --mid: #e6b450; --gone: #43211f; --come: #1a3a24;
  --full: #1c3d27; --part: #43370f; --none: #4a2321; --bar: #5b96e0; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; line-height: 1.2; margin: .5rem 0; } h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
a { color: var(--link); } p { margin: .5rem 0; }
.dim, small { color: var(--dim); } .good { color: var(--good); } .bad { color: var(--bad); } .mid { color: var(--mid); }
.warn { border-left: 4px solid var(--mid); background: var(--soft); padding: .5rem .75rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; } th, td { padding: .2rem .6rem; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { font-weight: 600; } td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.name { min-width: 9rem; } .name, dd, pre, h1, li { overflow-wrap: anywhere; } tfoot td, tfoot th { border-bottom: 0; border-top: 1px solid var(--line); }
.full { background: var(--full); } .part { background: var(--part); } .none { background: var(--none); }
pre, code, .code { font: .82rem/1.45 ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace; }
pre { white-space: pre-wrap; background: var(--soft); padding: .6rem .75rem; margin: .5rem 0; border-radius: 4px; }
details { margin: .5rem 0; } summary { cursor: pointer; padding: .25rem 0; }
.card { border: 1px solid var(--line); border-radius: 6px; padding: .1rem .75rem .5rem; }
dl { display: grid; grid-template-columns: 6.5rem 1fr; gap: .15rem .75rem; margin: .25rem 0; }
dt { color: var(--dim); } dd { margin: 0; } ol, ul { margin: 0; padding-left: 1.4rem; }
table.diff { width: 100%; min-width: 44rem; table-layout: fixed; border: 1px solid var(--line); }
.diff td, .diff th { border: 0; padding: 0 .4rem; } .diff th { padding: .3rem .4rem; border-bottom: 1px solid var(--line); }
.diff td { white-space: pre-wrap; overflow-wrap: anywhere; tab-size: 4; font-size: .82rem; line-height: 1.45; }
.diff .no { text-align: right; white-space: nowrap; color: var(--dim); user-select: none; }
.diff .gone { background: var(--gone); } .diff .come { background: var(--come); } .diff .void { background: var(--soft); }
.diff .fold { text-align: center; color: var(--dim); background: var(--soft); }
svg { display: block; max-width: none; } svg text { font: 11px system-ui, sans-serif; fill: var(--text); } svg .dim { fill: var(--dim); }
svg .lane { stroke: var(--line); } svg rect { stroke: var(--ground); } svg .span { fill: var(--bar); } svg .failed { fill: var(--bad); } svg .open { fill: var(--mid); }
@media (max-width: 40rem) { body { padding: .6rem; } dl { grid-template-columns: 1fr; gap: 0; } dt { margin-top: .3rem; }
  th, td { padding: .2rem .4rem; } }
@media print { :root { color-scheme: light; font-size: 11px; } body { max-width: none; padding: 0; } .wide { overflow: visible; }
  .card, tr { break-inside: avoid; } table.diff { min-width: 0; } svg { max-width: 100%; height: auto; } details::details-content { content-visibility: visible; display: block; } }
)";

// The code point that begins at `at`, and how many bytes it has; 0 bytes: it is no UTF-8.
std::pair<std::uint32_t, std::size_t> code_point(const std::string& text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const unsigned first = byte(at);
  const std::size_t size = first < 0x80 ? 1 : first >> 5 == 6 ? 2 : first >> 4 == 14 ? 3 : first >> 3 == 30 ? 4 : 0;
  if (size < 2) return {first, size};
  std::uint32_t point = first & (0xffu >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if (byte(at + i) >> 6 != 2) return {0, 0};
    point = point << 6 | (byte(at + i) & 0x3fu);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  return point < kSmallest[size] || point > 0x10ffff || surrogate ? std::pair<std::uint32_t, std::size_t>{0, 0} : std::pair{point, size};
}

bool is_hidden(std::uint32_t point) {
  return (point < 32 && point != '\n' && point != '\t') || (point >= 0x7f && point < 0xa0) || point == 0xad || point == 0x61c ||
         (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) || (point >= 0x2060 && point <= 0x206f) ||
         (point >= 0xfe00 && point <= 0xfe0f) || point == 0xfeff || (point >= 0xfff0 && point <= 0xfffb) || (point & 0xfffe) == 0xfffe ||
         point >= 0xe0000;
}

// "<td class=no>12</td><td>text</td>"
std::string half(std::size_t number, const std::string& text, const std::string& kind) {
  return element("td", number == 0 ? "no void" : "no", number == 0 ? "" : std::to_string(number)) +
         element("td", number == 0 ? "code void" : "code" + kind, html(text, 2000));
}

}  // namespace

std::string html(const std::string& text, std::size_t most) {
  std::string result;
  std::size_t shown = 0;
  for (std::size_t at = 0; at < text.size(); ++shown) {
    if (shown == most) return result + " <small>... cut here ...</small>";
    const auto [point, size] = code_point(text, at);
    if (size == 0 || is_hidden(point)) {
      char shape[24];
      std::snprintf(shape, sizeof shape, size == 0 ? "\\x%02x" : "\\u{%x}", static_cast<unsigned>(size == 0 ? static_cast<unsigned char>(text[at]) : point));
      if (!(point == '\r' && size == 1)) result += shape;
    } else if (point == '<') {
      result += "&lt;";
    } else if (point == '>') {
      result += "&gt;";
    } else if (point == '&') {
      result += "&amp;";
    } else if (point == '"') {
      result += "&quot;";
    } else if (point == '\'') {
      result += "&#39;";
    } else {
      result.append(text, at, size);
    }
    at += size == 0 ? 1 : size;
  }
  return result;
}

std::string element(const std::string& name, const std::string& kind, const std::string& inner) {
  return "<" + name + (kind.empty() ? "" : " class=\"" + kind + "\"") + ">" + inner + "</" + name + ">";
}

std::string html_page(const std::string& title, const std::string& body) {
  return "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<meta name=\"referrer\" content=\"no-referrer\">\n" +
         element("title", "", html(title, 200)) + "\n<style>" + kStyle + "</style>\n</head>\n<body>\n" + body + "</body>\n</html>\n";
}

std::string html_side_by_side(const std::string& first, const std::string& second, const std::string& first_name, const std::string& second_name) {
  constexpr std::size_t kContext = 3, kWorthFolding = 4;
  const std::vector<DiffRow> rows = side_by_side(bounded_lines(first), bounded_lines(second));
  std::string body;
  for (std::size_t i = 0; i < rows.size();) {
    std::size_t end = i;
    while (end < rows.size() && rows[end].same) ++end;
    const std::size_t head = i == 0 ? 0 : kContext, tail = end == rows.size() ? 0 : kContext;
    if (end - i >= head + tail + kWorthFolding) {
      const auto plain = [&](std::size_t from, std::size_t to) {
        for (std::size_t k = from; k < to; ++k) body += "<tr>" + half(rows[k].first, rows[k].left, "") + half(rows[k].second, rows[k].right, "") + "</tr>\n";
      };
      plain(i, i + head);
      body += "<tr><td class=\"fold\" colspan=\"4\">" + std::to_string(end - i - head - tail) + " lines are the same</td></tr>\n";
      plain(end - tail, end);
      i = end;
    }
    for (; i < end || (i < rows.size() && !rows[i].same); ++i) {
      const DiffRow& row = rows[i];
      body += "<tr>" + half(row.first, row.left, row.same ? "" : " gone") + half(row.second, row.right, row.same ? "" : " come") + "</tr>\n";
    }
  }
  return "<div class=\"wide\"><table class=\"diff\"><colgroup><col style=\"width:3.2rem\"><col><col style=\"width:3.2rem\"><col></colgroup>\n<thead><tr><th colspan=\"2\">" +
         html(first_name, 200) + "</th><th colspan=\"2\">" + html(second_name, 200) + "</th></tr></thead>\n<tbody>\n" + body + "</tbody></table></div>\n";
}

}  // namespace grader
