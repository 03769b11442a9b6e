#include "telemetry/schema.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <valijson/adapters/nlohmann_json_adapter.hpp>
#include <valijson/schema.hpp>
#include <valijson/schema_parser.hpp>
#include <valijson/validation_results.hpp>
#include <valijson/validator.hpp>

#include "base/hash.h"
#include "base/text.h"

namespace sparky::telemetry {
namespace {

// valijson's path, ["<root>", "[gpu]", "[0]"], as a JSON pointer.
Json::json_pointer to_pointer(const std::vector<std::string>& context) {
  Json::json_pointer pointer;
  for (size_t i = 1; i < context.size(); ++i) {
    std::string_view step = context[i];
    if (step.starts_with('[') && step.ends_with(']')) step = step.substr(1, step.size() - 2);
    pointer.push_back(std::string(step));
  }
  return pointer;
}

// The part of the schema that speaks of the value at that path; null if it cannot be told.
const Json* rule_for(const Json& schema, const std::vector<std::string>& path) {
  const Json* rule = &schema;
  auto resolve = [&] {
    while (rule && rule->contains("$ref")) {
      auto reference = rule->at("$ref").get<std::string>();  // "#/definitions/…"
      rule = &schema.at(Json::json_pointer(reference.substr(1)));
    }
  };
  for (const auto& step : path) {
    resolve();
    if (rule->contains("properties") && rule->at("properties").contains(step))
      rule = &rule->at("properties").at(step);
    else if (rule->contains("additionalProperties") && rule->at("additionalProperties").is_object())
      rule = &rule->at("additionalProperties");
    else if (rule->contains("items") && rule->at("items").is_object())
      rule = &rule->at("items");
    else
      return nullptr;
  }
  resolve();
  return rule;
}

// valijson's words for wrong members, shorter.
std::string plain(const std::string& description) {
  size_t end = description.rfind('\''), begin = description.rfind('\'', end - 1);  // the last word in quotes
  if (begin == std::string::npos || begin >= end) return description;
  auto name = description.substr(begin, end - begin + 1);
  if (description.starts_with("Missing required")) return "lacks the member " + name;
  if (description.starts_with("Object contains a property"))
    return "has a member that the schema does not know: " + name;
  return description;
}

std::string shown(const Json& value) {
  auto text = json_text(value);
  return text.size() > 60 ? fmt::format("{} of {} members", value.type_name(), value.size()) : text;
}

// "must be a number, at least 0".
std::string wanted(const Json& rule) {
  std::string out;
  auto add = [&](std::string text) { out += (out.empty() ? "" : ", ") + text; };
  if (rule.contains("const")) add(json_text(rule["const"]));
  if (rule.contains("enum")) add("one of " + json_text(rule["enum"]));
  if (rule.contains("type")) {
    std::vector<std::string> types;
    if (rule["type"].is_string()) types.push_back(rule["type"]);
    if (rule["type"].is_array()) types = rule["type"].get<std::vector<std::string>>();
    add("of type " + join(types, " or "));
  }
  if (rule.contains("minimum")) add("at least " + json_text(rule["minimum"]));
  if (rule.contains("exclusiveMinimum")) add("above " + json_text(rule["exclusiveMinimum"]));
  if (rule.contains("maximum")) add("at most " + json_text(rule["maximum"]));
  if (rule.contains("minLength")) add("not empty");
  if (rule.contains("minItems")) add(fmt::format("with at least {} entries", json_text(rule["minItems"])));
  if (rule.contains("pattern")) add("matching " + rule["pattern"].get<std::string>());
  return out;
}

std::string content_digest(Json document) {
  document.erase("digest");
  return sha256_hex(json_text(document));
}

}  // namespace

std::string Finding::text() const {
  return printable(fmt::format("{}: {}", pointer.empty() ? "the document" : pointer, message));
}

void seal(Json& document) { document["digest"] = content_digest(document); }

bool is_sealed(const Json& document) {
  return document.contains("digest") && document["digest"] == content_digest(document);
}

std::vector<Finding> check_schema(const Json& document, std::string_view schema_name) {
  const Json rules = Json::parse(schema_text(schema_name));
  valijson::Schema schema;
  valijson::adapters::NlohmannJsonAdapter rules_adapter(rules), document_adapter(document);
  valijson::SchemaParser().populateSchema(rules_adapter, schema);
  valijson::Validator validator;
  valijson::ValidationResults results;
  std::vector<Finding> out;
  if (validator.validate(schema, document_adapter, &results)) return out;

  valijson::ValidationResults::Error error;
  while (results.popError(error)) {
    // Said again for each object around the real trouble.
    if (error.description.starts_with("Failed to validate against schema associated") ||
        error.description.starts_with("Failed to validate item"))
      continue;
    auto pointer = to_pointer(error.context);
    std::vector<std::string> path;
    for (auto p = pointer; !p.empty(); p.pop_back()) path.insert(path.begin(), p.back());
    bool about_members = error.description.starts_with("Missing required") ||
                         error.description.starts_with("Object contains a property");
    std::string message = plain(error.description);
    const Json* rule = about_members ? nullptr : rule_for(rules, path);
    if (rule && !wanted(*rule).empty() && document.contains(pointer))
      message = fmt::format("is {}, but must be {}", shown(document.at(pointer)), wanted(*rule));
    Finding finding{pointer.to_string(), std::move(message)};
    bool repeated = false;
    for (const auto& have : out)
      repeated = repeated || (have.pointer == finding.pointer && have.message == finding.message);
    if (!repeated) out.push_back(std::move(finding));
  }
  if (out.empty()) out.push_back({"", "does not match the schema"});
  for (const auto& finding : out)
    if (finding.pointer == "/schema") return {finding};  // another kind of document: the rest would be noise
  return out;
}

}  // namespace sparky::telemetry
