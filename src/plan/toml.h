// TOML plans: reading with positions for every finding, and writing.
#pragma once
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.h"
#include "plan/plan.h"

namespace sparky::plan {

// What a plan file may hold. Larger plans are made in memory, by a program.
struct Limits {
  size_t bytes = 64u << 20;
  size_t workstreams = 100'000;
};

// Names a place in the model, to find it in the source: the i-th entry of a list ("workstream", "orchestrator",
// "gate"), a field of it, and an element of that field; for criteria also a field of the element.
struct Place {
  std::string_view list;
  size_t index = 0;
  std::string_view field = {};  // empty: the entry itself
  int element = -1;
  std::string_view part = {};
};

// The text that a plan was read from, kept to give positions to what check finds later.
class Source {
 public:
  virtual ~Source() = default;
  virtual Where find(const Place& place) const = 0;  // line 0: not there
};

struct Parsed {
  Plan plan;
  std::vector<Diagnostic> problems;      // in the order of the file
  bool readable = false;                 // false: the syntax (or a limit) ended the reading
  std::shared_ptr<const Source> source;  // null: none, or not readable
};

// `file` is how messages name it. All problems of form are collected (unknown fields, wrong types, unreadable
// estimates); a syntax error ends the list. What the parts mean together is check.h's concern.
Parsed parse_plan(std::string_view text, const std::string& file, Limits limits = {});

// A plan file, or a directory that holds plan.toml or else the documents that import.h reads. What cannot be read at
// all is a problem like any other.
Parsed load_plan(const std::filesystem::path& path, Limits limits = {});

// A plan file that parse_plan reads back to the same plan (positions apart).
std::string to_toml(const Plan& plan);

}  // namespace sparky::plan
