// Self-contained pages: no network, no script, no other file. Readable in light and dark mode, on a phone and on paper.
#pragma once

#include <string>

namespace grader {

// Escapes untrusted text for a page. Bidirectional-control characters, invisible characters and invalid UTF-8 are shown
// as escapes; long text is truncated with a marker.
std::string html(const std::string& text, std::size_t most = 20'000);

// Returns <name class="kind">inner</name>; `inner` is HTML. Without `kind` there is no class.
std::string element(const std::string& name, const std::string& kind, const std::string& inner);

// Returns a complete page. `title` is text, `body` is HTML.
std::string html_page(const std::string& title, const std::string& body);

// Returns a table with two texts side by side. Long equal parts are left out.
std::string html_side_by_side(const std::string& first, const std::string& second, const std::string& first_name, const std::string& second_name);

}  // namespace grader
