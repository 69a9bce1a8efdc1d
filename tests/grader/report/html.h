// Pages that stand alone: no network, no script, no other file. Readable light and dark, on a phone and on paper.
#pragma once

#include <string>

namespace grader {

// A stranger's text for a page. Characters that mean something to HTML are escaped; those that cannot be seen, or that
// turn the writing around, and bytes that are no UTF-8 are shown as such. What is too long is cut, and that is said.
std::string html(const std::string& text, std::size_t most = 20'000);

// <name class="kind">inner</name>; `inner` is HTML already. Without `kind` there is no class.
std::string element(const std::string& name, const std::string& kind, const std::string& inner);

// A whole page. `title` is text, `body` is HTML.
std::string html_page(const std::string& title, const std::string& body);

// Two texts beside each other, as a table. Long parts that are the same are left out.
std::string html_side_by_side(const std::string& first, const std::string& second, const std::string& first_name, const std::string& second_name);

}  // namespace grader
