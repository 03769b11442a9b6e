#include "agents/profile.h"

#include <fmt/format.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <cstdlib>

#include "base/files.h"
#include "base/text.h"

namespace sparky::agents {
namespace fs = std::filesystem;
namespace {

// Reads one [agents.NAME] table over a profile. Each field is asked for once; what nobody asked for is unknown.
class Reader {
 public:
  Reader(const toml::table& table, std::string what, std::string file, std::vector<Diagnostic>& problems)
      : table_(table), what_(std::move(what)), file_(std::move(file)), problems_(problems) {}

  void read(Profile& p) {
    text("like", p.like);
    text("description", p.description);
    text("preamble", p.preamble);
    text("model", p.model);
    text("setup", p.setup);
    word("protocol", p.protocol, {{"command", Protocol::command}, {"acp", Protocol::acp}});
    word("sandbox", p.sandbox, {{"auto", Sandbox::automatic}, {"required", Sandbox::required}, {"off", Sandbox::off}});
    texts("command", p.command);
    texts("secrets", p.secrets);
    texts("writable", p.writable);
    if (auto* node = field("network")) {
      if (auto value = node->value_exact<bool>())
        p.network = *value;
      else
        wrong(*node, "network", "true or false");
    }
    if (auto* env = sub_table("env"))
      for (auto&& [name, value] : *env) {
        if (auto said = value.value_exact<std::string>())
          p.env[std::string(name.str())] = *said;
        else
          wrong(value, fmt::format("env.{}", name.str()), "a string");
      }
    texts("autonomy", p.autonomy);
    for (auto& kind : p.autonomy)
      if (std::ranges::find(proposal_kinds, kind) == std::end(proposal_kinds))
        add(table_.source(), fmt::format("autonomy of {}: '{}' is no kind of proposal", what_, kind),
            fmt::format("the kinds are {}", fmt::join(proposal_kinds, ", ")));
    permissions(p);
    if (auto* limits = sub_table("limits")) Reader(*limits, what_ + ".limits", file_, problems_).read_limits(p);
    finish();
  }

 private:
  static constexpr std::string_view kinds[] = {"read",    "edit",  "delete", "move",        "search",
                                               "execute", "think", "fetch",  "switch_mode", "other"};

  void read_limits(Profile& p) {
    number("tokens", p.budget.tokens);
    money("money", p.budget.money);
    duration("total_time", p.budget.time);
    number("attempt_tokens", p.attempt.tokens);
    money("attempt_money", p.attempt.money);
    duration("time", p.time);
    duration("silence", p.silence);
    number("repeats", p.repeats);
    number("retries", p.retries);
    number("conflicts", p.conflicts);
    number("memory_mb", p.memory_mb);
    number("processes", p.processes);
    number("cores", p.cores);
    finish();
  }
  void permissions(Profile& p) {
    auto* table = sub_table("permissions");
    if (!table) return;
    for (auto&& [kind, value] : *table) {
      auto said = value.value_exact<std::string>().value_or("");
      Permission permission = said == "ask" ? Permission::ask : said == "deny" ? Permission::deny : Permission::allow;
      if (said != "allow" && said != "ask" && said != "deny")
        wrong(value, fmt::format("permissions.{}", kind.str()), "\"allow\", \"ask\" or \"deny\"");
      else if (kind.str() == "usual")
        p.usual = permission;
      else if (std::ranges::find(kinds, kind.str()) == std::end(kinds))
        add(kind.source(), fmt::format("permissions of {}: there is no kind of tool call '{}'", what_, kind.str()),
            fmt::format("the kinds are usual, {}", fmt::join(kinds, ", ")));
      else
        p.permissions[std::string(kind.str())] = permission;
    }
  }

  const toml::node* field(std::string_view key) {
    known_.emplace_back(key);
    return table_.get(key);
  }
  const toml::table* sub_table(std::string_view key) {
    auto* node = field(key);
    if (node && !node->is_table()) wrong(*node, key, "a table");
    return node ? node->as_table() : nullptr;
  }
  void text(std::string_view key, std::string& out) {
    auto* node = field(key);
    if (!node) return;
    if (auto value = node->value_exact<std::string>())
      out = *value;
    else
      wrong(*node, key, "a string");
  }
  void texts(std::string_view key, std::vector<std::string>& out) {
    auto* node = field(key);
    if (!node) return;
    auto* list = node->as_array();
    if (!list) return wrong(*node, key, "an array of strings, one for each argument");
    out.clear();
    for (auto& element : *list) {
      if (auto value = element.value_exact<std::string>())
        out.push_back(*value);
      else
        wrong(element, key, "an array of strings");
    }
  }
  void money(std::string_view key, double& out) {
    auto* node = field(key);
    if (!node) return;
    if (auto value = node->value<double>(); value && *value >= 0 && node->is_number())
      out = *value;
    else
      wrong(*node, key, "US dollars, 0 or more");
  }
  template <class Enum>
  void word(std::string_view key, Enum& out, std::initializer_list<std::pair<std::string_view, Enum>> words) {
    auto* node = field(key);
    if (!node) return;
    auto said = node->value_exact<std::string>().value_or("");
    std::string all;
    for (auto& [name, value] : words) {
      if (name == said) return void(out = value);
      all += fmt::format("{}\"{}\"", all.empty() ? "" : " or ", name);
    }
    wrong(*node, key, all);
  }
  template <class Number>
  void number(std::string_view key, Number& out) {
    auto* node = field(key);
    if (!node) return;
    auto value = node->value_exact<int64_t>();
    if (value && *value >= 0 && *value <= 1'000'000'000'000 && int64_t(Number(*value)) == *value)
      out = Number(*value);
    else
      wrong(*node, key, "a whole number, 0 or more");
  }
  void duration(std::string_view key, Duration& out) {
    auto* node = field(key);
    if (!node) return;
    auto said = node->value_exact<std::string>();
    auto value = said ? parse_duration(*said) : fail(Errc::invalid, "");
    if (value)
      out = *value;
    else
      wrong(*node, key, "a duration such as \"90s\" or \"2h\"");
  }
  void finish() {
    for (auto&& [key, node] : table_)
      if (std::ranges::find(known_, key.str()) == known_.end()) {
        auto near = nearest(key.str(), known_);
        add(key.source(), fmt::format("{} has no field '{}'", what_, key.str()),
            near ? fmt::format("did you mean '{}'?", *near) : "the fields are " + join(known_, ", "));
      }
  }
  void wrong(const toml::node& node, std::string_view key, std::string_view wanted) {
    add(node.source(), fmt::format("{} of {} must be {}", key, what_, wanted));
  }
  void add(const toml::source_region& at, std::string message, std::string help = {}) {
    problems_.push_back(
        {Severity::error, file_, int(at.begin.line), int(at.begin.column), std::move(message), std::move(help)});
  }

  const toml::table& table_;
  std::string what_, file_;
  std::vector<Diagnostic>& problems_;
  std::vector<std::string> known_;
};

struct Layer {
  std::string source;
  toml::table table;  // what [agents] holds
};

std::optional<Layer> parse_layer(std::string_view text, const std::string& source, std::vector<Diagnostic>& problems) {
  try {
    auto document = toml::parse(text);
    auto* agents = document["agents"].as_table();
    return Layer{source, agents ? std::move(*agents) : toml::table{}};  // a copy would forget the lines
  } catch (const toml::parse_error& e) {
    problems.push_back({Severity::error,
                        source,
                        int(e.source().begin.line),
                        int(e.source().begin.column),
                        std::string(e.description()),
                        {}});
    return std::nullopt;
  }
}

}  // namespace

Permission Profile::permission(std::string_view kind) const {
  auto it = permissions.find(std::string(kind));
  return it == permissions.end() ? usual : it->second;
}

Result<Profile> Profiles::find(std::string_view name) const {
  if (auto it = all.find(std::string(name)); it != all.end()) return it->second;
  std::vector<std::string> names;
  for (auto& [n, p] : all) names.push_back(n);
  auto near = nearest(name, names);
  return fail(
      Errc::not_found, fmt::format("there is no agent '{}'", name),
      near ? fmt::format("did you mean '{}'?", *near)
           : fmt::format("describe it in sparky.toml: [agents.{}]; `sparky agents` lists those there are", name));
}

Profiles load_profiles(std::string_view plan_toml, const fs::path& project) {
  Profiles out;
  std::vector<Layer> layers;
  auto add = [&](std::string_view text, const std::string& source) {
    if (auto layer = parse_layer(text, source, out.problems)) layers.push_back(std::move(*layer));
  };
  add(builtin_profiles(), "built-in");
  add(plan_toml, "the plan");
  auto file = project / "sparky.toml";
  if (auto text = read_file(file, 16u << 20)) add(*text, file.string());
  // Each profile: what it is like, layer by layer, then its own fields, layer by layer.
  auto own = [&](const std::string& name, Profile& profile, bool report) {
    for (auto& layer : layers) {
      auto* node = layer.table.get(name);
      if (!node) continue;
      std::vector<Diagnostic> unsaid;
      auto& problems = report ? out.problems : unsaid;
      if (auto* table = node->as_table()) {
        Reader(*table, "agents." + name, layer.source, problems).read(profile);
        profile.sources.push_back(layer.source);
      } else {
        problems.push_back({Severity::error,
                            layer.source,
                            int(node->source().begin.line),
                            0,
                            fmt::format("agents.{} must be a table", name),
                            {}});
      }
    }
  };
  std::vector<std::string> names;
  for (auto& layer : layers)
    for (auto&& [name, node] : layer.table)
      if (std::ranges::find(names, name.str()) == names.end()) names.emplace_back(name.str());
  for (auto& name : names) {
    Profile first;
    own(name, first, true);
    std::vector<std::string> chain;  // what it is like, what that is like, …
    for (auto next = first.like; !next.empty() && std::ranges::find(chain, next) == chain.end() && next != name;) {
      chain.push_back(next);
      if (std::ranges::find(names, next) == names.end()) {
        out.problems.push_back({Severity::error,
                                first.sources.empty() ? "" : first.sources.back(),
                                0,
                                0,
                                fmt::format("agents.{}: there is no '{}' to be like", name, next),
                                {}});
        break;
      }
      Profile other;
      own(next, other, false);
      next = other.like;
    }
    Profile profile;
    for (size_t i = chain.size(); i-- > 0;) own(chain[i], profile, false);
    profile.description.clear();
    profile.sources.clear();
    own(name, profile, false);
    profile.name = name;
    out.all[name] = std::move(profile);
  }
  return out;
}

std::optional<fs::path> find_in_path(std::string_view program) {
  if (program.find('/') != program.npos) {
    if (::access(std::string(program).c_str(), X_OK) == 0) return fs::path(program);
    return std::nullopt;
  }
  const char* path = std::getenv("PATH");
  for (auto dir : split(path ? path : "/usr/local/bin:/usr/bin:/bin", ':')) {
    auto candidate = fs::path(dir.empty() ? "." : dir) / program;
    std::error_code ec;
    if (fs::is_regular_file(candidate, ec) && ::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return std::nullopt;
}

std::optional<Error> cannot_start(const Profile& profile) {
  if (profile.command.empty())
    return Error{Errc::invalid, fmt::format("agents.{} does not say how to start it", profile.name),
                 "command = [\"program\", \"argument\"], or like = \"claude\""};
  if (!find_in_path(profile.command[0]))
    return Error{
        Errc::unavailable, fmt::format("{} is not installed here", profile.command[0]),
        fmt::format("install it, or name another program: [agents.{}] command = […] in sparky.toml", profile.name)};
  if (profile.sandbox == Sandbox::required && !find_in_path("bwrap"))
    return Error{Errc::unavailable, "its sandbox is required, and bubblewrap is not installed here",
                 "apt install bubblewrap"};
  return std::nullopt;
}

std::vector<std::string> fill_in(const std::vector<std::string>& command,
                                 const std::map<std::string, std::string>& words) {
  std::vector<std::string> out;
  for (auto& argument : command) {
    std::string filled;
    for (size_t i = 0; i < argument.size();) {
      auto end = argument[i] == '{' ? argument.find('}', i) : std::string::npos;
      auto word = end == std::string::npos ? words.end() : words.find(argument.substr(i + 1, end - i - 1));
      if (word == words.end()) {
        filled += argument[i++];
      } else {
        filled += word->second;
        i = end + 1;
      }
    }
    out.push_back(std::move(filled));
  }
  return out;
}

}  // namespace sparky::agents
