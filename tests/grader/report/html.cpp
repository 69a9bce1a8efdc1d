#include "html.h"

#include <cstdint>
#include <cstdio>
#include <vector>

#include "text_diff.h"
#include "utf8.h"

namespace grader {

namespace {

constexpr const char* kStyle =
#include "style.css.inc"
    ;

// Returns "<td class=no>12</td><td>text</td>".
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
