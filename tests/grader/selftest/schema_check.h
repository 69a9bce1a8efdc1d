// For tests: validates a JSON document against a JSON Schema. Supports only the keywords of results.schema.json.
#pragma once

#include <algorithm>
#include <regex>
#include <string>

#include <nlohmann/json.hpp>

namespace grader {

// Returns the error and its place, or an empty string.
inline std::string schema_complaint(const nlohmann::json& value, const nlohmann::json& schema, const nlohmann::json& root, const std::string& where = "$") {
  const auto is = [&](const std::string& type) {
    return type == "object" ? value.is_object() : type == "array" ? value.is_array() : type == "string" ? value.is_string() : type == "boolean" ? value.is_boolean()
         : type == "integer" ? value.is_number_integer() : type == "number" && value.is_number();
  };
  for (const auto& entry : schema.items()) {
    const std::string& word = entry.key();
    const nlohmann::json& rule = entry.value();
    if (word == "$ref") {
      const std::string why = schema_complaint(value, root.at(nlohmann::json::json_pointer(rule.get<std::string>().substr(1))), root, where);
      if (!why.empty()) return why;
    } else if (word == "type") {
      if (!is(rule)) return where + " is no " + rule.get<std::string>();
    } else if (word == "const") {
      if (value != rule) return where + " is not " + rule.dump();
    } else if (word == "enum") {
      if (std::find(rule.begin(), rule.end(), value) == rule.end()) return where + " is none of " + rule.dump();
    } else if (word == "minimum" || word == "maximum") {
      if (value.is_number() && (word == "minimum" ? value < rule : value > rule)) return where + " is out of range";
    } else if (word == "maxLength") {
      if (value.is_string() && value.get<std::string>().size() > rule.get<std::size_t>()) return where + " is too long";
    } else if (word == "pattern") {
      if (value.is_string() && !std::regex_search(value.get<std::string>(), std::regex(rule.get<std::string>()))) return where + " does not match";
    } else if (word == "required") {
      for (const nlohmann::json& name : rule) {
        if (!value.contains(name.get<std::string>())) return where + " lacks " + name.dump();
      }
    } else if (word == "properties") {
      for (const auto& field : value.items()) {
        if (!rule.contains(field.key())) continue;
        const std::string why = schema_complaint(field.value(), rule.at(field.key()), root, where + "." + field.key());
        if (!why.empty()) return why;
      }
    } else if (word == "additionalProperties") {
      for (const auto& field : value.items()) {
        if (!schema.at("properties").contains(field.key())) return where + " has " + field.key() + ", which the schema does not know";
      }
    } else if (word == "items") {
      for (std::size_t i = 0; i < value.size(); ++i) {
        const std::string why = schema_complaint(value.at(i), rule, root, where + "[" + std::to_string(i) + "]");
        if (!why.empty()) return why;
      }
    } else if (word != "$schema" && word != "$defs" && word != "title" && word != "description") {
      return "the schema has the word " + word + ", which this check does not know";
    }
  }
  return "";
}

}  // namespace grader
