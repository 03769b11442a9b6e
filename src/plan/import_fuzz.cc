// Any text as the documents of a plan: import must end, and its plan must be one that TOML can hold.
#include <cstdlib>
#include <string>

#include "plan/check.h"
#include "plan/import.h"
#include "plan/toml.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace sparky;
  if (size > 1 << 15) return 0;
  // A line "=== PATH" begins a document; before the first it is the workstream plan.
  std::vector<plan::Document> documents{{"workstream-plan.md", ""}};
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  while (!rest.empty()) {
    auto end = std::min(rest.find('\n'), rest.size());
    auto line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.starts_with("=== ") && documents.size() < 8)
      documents.push_back({std::string(line.substr(4)), ""});
    else
      documents.back().text.append(line).append("\n");
  }
  auto imported = plan::import_documents(documents, "fuzz");
  plan::check(imported.plan, nullptr, {.files = false});
  imported.plan.name = "fuzz";
  auto parsed = plan::parse_plan(plan::to_toml(imported.plan), "imported.toml");
  if (!parsed.readable || has_errors(parsed.problems)) std::abort();
  return 0;
}
