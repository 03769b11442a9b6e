#include "agents/verify.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <map>
#include <regex>

#include "base/text.h"

namespace sparky::agents {
namespace fs = std::filesystem;
namespace {

// What a test asserts with, and what switches a test off, in the usual frameworks.
const std::regex assertion(
    R"(\b(assert\w*|EXPECT_\w+|ASSERT_\w+|REQUIRE\w*|CHECK\w*|expect|should|RC_ASSERT|t\.(Error|Fatal)\w*)\b)");
const std::regex switched_off(
    R"(\bDISABLED_|GTEST_SKIP|@(pytest\.mark\.)?(skip|xfail|unittest\.skip)|#\[ignore|\b(it|test|describe)\.(skip|todo|only)\b|\bx(it|describe)\(|t\.Skip|\|\|\s*true\b|\bexit 0\s*$)");

struct Counted {
  int lost = 0, off = 0;  // assertions fewer than before; lines that switch something off
};

std::map<std::string, Counted> count(const std::string& diff) {
  std::map<std::string, Counted> out;
  std::string path, old_path;
  bool header = false;
  for (auto line : split(diff, '\n')) {
    if (line.starts_with("diff --git ")) {
      header = true;
      path.clear();
      old_path.clear();
    } else if (header && line.starts_with("--- a/")) {
      old_path = line.substr(6);
    } else if (header && line.starts_with("+++ ")) {
      path = line.starts_with("+++ b/") ? std::string(line.substr(6)) : old_path;
    } else if (line.starts_with("@@")) {
      header = false;
    } else if (!header && !path.empty() && line.size() < 4000 && (line.starts_with('+') || line.starts_with('-'))) {
      std::string text(line.substr(1));
      bool asserts = std::regex_search(text, assertion);
      if (asserts) out[path].lost += line[0] == '-' ? 1 : -1;
      if (line[0] == '+' && std::regex_search(text, switched_off)) ++out[path].off;
    }
  }
  return out;
}

// The command names the file: as a whole word, relative to the root, or by its name alone after a slash.
bool names(const std::string& command, std::string_view path, std::string_view prefix) {
  if (path.starts_with(prefix)) path.remove_prefix(prefix.size());
  for (size_t at = command.find(path); at != command.npos; at = command.find(path, at + 1)) {
    auto edge = [&](size_t i) {
      unsigned char c = i < command.size() ? static_cast<unsigned char>(command[i]) : ' ';
      return !std::isalnum(c) && c != '_' && c != '-' && c != '/';
    };
    bool before = at == 0 || edge(at - 1) || (command[at - 1] == '/' && at >= 2 && command[at - 2] == '.');
    if (before && edge(at + path.size())) return true;
  }
  return false;
}

// What a check executes, not what it merely reads.
bool runs(std::string_view path) {
  auto name = path.substr(path.rfind('/') == path.npos ? 0 : path.rfind('/') + 1);
  if (is_test(path) || name == "Makefile" || name == "justfile") return true;
  for (std::string_view ending : {".sh", ".bash", ".py", ".nu", ".js", ".ts", ".rb", ".pl"})
    if (name.ends_with(ending)) return true;
  return false;
}

}  // namespace

bool is_test(std::string_view path) {
  auto low = lower(path);
  auto name = std::string_view(low).substr(low.rfind('/') == low.npos ? 0 : low.rfind('/') + 1);
  for (auto part : split(low, '/'))
    if (part == "test" || part == "tests" || part == "__tests__" || part == "spec") return true;
  auto stem = name.substr(0, name.find('.'));
  return stem.starts_with("test_") || stem.ends_with("_test") || stem.ends_with("_tests") ||
         name.find(".test.") != name.npos || name.find(".spec.") != name.npos;
}

bool matches(std::string_view deliverable, std::string_view path) {
  while (deliverable.starts_with("./")) deliverable.remove_prefix(2);
  bool directory = deliverable.ends_with('/');
  while (deliverable.ends_with('/')) deliverable.remove_suffix(1);
  if (deliverable.empty() || deliverable == ".") return true;
  if (path == deliverable && !directory) return true;
  if (path.size() > deliverable.size() && path.starts_with(deliverable) && path[deliverable.size()] == '/') return true;
  return ::fnmatch(std::string(deliverable).c_str(), std::string(path).c_str(), 0) == 0;
}

std::vector<Finding> findings_in(const std::vector<FileChange>& changes, const std::string& diff,
                                 const plan::Workstream& workstream, const std::string& prefix) {
  std::vector<Finding> out;
  auto counted = count(diff);
  for (auto& change : changes) {
    auto& old = change.old_path.empty() ? change.path : change.old_path;
    bool test = is_test(old);
    if (change.status == 'D' && test) out.push_back({true, change.path, "a test is deleted"});
    if (change.status == 'R' && test && !is_test(change.path))
      out.push_back({true, change.path, fmt::format("a test ({}) is one no more", old)});
    auto it = counted.find(change.path);
    if (it != counted.end() && change.status != 'D') {
      if (test && change.status != 'A' && it->second.lost > 0)
        out.push_back({true, change.path, fmt::format("a test has {} assertions fewer", it->second.lost)});
      if (test && it->second.off > 0) out.push_back({true, change.path, "a test is switched off or cannot fail"});
    }
    auto within = std::string_view(change.path);
    bool below = within.starts_with(prefix);
    if (below) within.remove_prefix(prefix.size());
    bool declared = std::ranges::any_of(workstream.deliverables, [&](auto& d) { return below && matches(d, within); });
    for (auto& c : workstream.criteria)
      if (change.status != 'A' && !declared && runs(old) && names(c.check, old, prefix))
        out.push_back(
            {true, change.path, fmt::format("the check of \"{}\" runs this file, and it is changed", c.text)});
    if (!workstream.deliverables.empty() && !declared && !is_test(change.path))
      out.push_back({false, change.path, "outside the declared deliverables"});
  }
  std::ranges::stable_sort(out, [](auto& a, auto& b) { return a.serious > b.serious; });
  return out;
}

Result<std::vector<Finding>> findings(const Repository& repository, const std::string& base, const std::string& commit,
                                      const plan::Workstream& workstream, const std::string& prefix) {
  SPARKY_ASSIGN(auto changes, repository.changes(base, commit));
  SPARKY_ASSIGN(auto diff, repository.diff(base, commit));
  return findings_in(changes, diff, workstream, prefix);
}

std::vector<std::string> missing_deliverables(const fs::path& root, const plan::Workstream& workstream) {
  std::vector<std::string> out;
  std::error_code ec;
  std::vector<std::string> files;  // only for globs
  for (auto& d : workstream.deliverables) {
    if (fs::exists(root / d, ec)) continue;
    bool glob = d.find_first_of("*?[") != d.npos;
    if (glob && files.empty())
      for (auto it = fs::recursive_directory_iterator(root, ec); !ec && it != fs::recursive_directory_iterator();
           it.increment(ec)) {
        if (it->path().filename() == ".git") it.disable_recursion_pending();
        files.push_back(it->path().lexically_relative(root).string());
      }
    if (!glob || std::ranges::none_of(files, [&](auto& f) { return matches(d, f); })) out.push_back(d);
  }
  return out;
}

}  // namespace sparky::agents
