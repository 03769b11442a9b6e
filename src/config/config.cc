#include "config/config.h"

#include <fmt/format.h>
#include <unistd.h>

#include <toml++/toml.h>
#include <cctype>
#include <charconv>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"

namespace sparky::config {
namespace {

constexpr Setting table[] = {
    {"run.jobs", Kind::integer, "0", "How many attempts run at once; 0: one per core.", 0, 4096},
    {"run.snapshot_every", Kind::duration, "4h", "How often a status snapshot is written to .sparky/status/.", 0, 0},
    {"run.notify", Kind::text, "", "Shell command run on escalation, decision and end, unless the plan has one.", 0, 0},
    {"run.log_max_mb", Kind::integer, "16", "An attempt's log keeps its first and last half of this size (MiB).", 1,
     1 << 20},
    {"merge.branch", Kind::text, "", "Where agents' work is merged; empty: the branch checked out at the start.", 0, 0},
    {"merge.remote", Kind::text, "", "The remote it is pushed to; empty: origin if there is one; none: only here.", 0,
     0},
    {"merge.batch", Kind::integer, "1", "How many changes that wait to be merged are checked together.", 1, 64},
    {"merge.mode", Kind::text, "push", "How work is merged: push (by Sparky), github (a pull request, by gh).", 0, 0},
    {"merge.reviewers", Kind::text, "", "Whom a pull request asks for a review, by comma (github).", 0, 0},
    {"merge.poll", Kind::duration, "15s", "How often a pull request is looked at (github).", 0, 0},
    {"merge.wait", Kind::duration, "1h", "How long its status checks may take before a person is asked (github).", 0,
     0},
    {"budget.tokens", Kind::integer, "0", "Tokens that the agents of one run may use; 0: no limit.", 0, 1ll << 50},
    {"budget.money", Kind::integer, "0", "US dollars that the agents of one run may use; 0: no limit.", 0, 1ll << 40},
    {"budget.time", Kind::duration, "0s", "Time in which agents of one run may work, added up; 0: no limit.", 0, 0},
    {"budget.retries", Kind::integer, "0", "Further attempts of all agents of one run together; 0: no limit.", 0,
     1 << 30},
    {"budget.orchestrator_tokens", Kind::integer, "0", "Tokens for all workstreams of one orchestrator.", 0, 1ll << 50},
    {"budget.orchestrator_money", Kind::integer, "0", "US dollars for all workstreams of one orchestrator.", 0,
     1ll << 40},
    {"budget.orchestrator_time", Kind::duration, "0s", "Time for all workstreams of one orchestrator.", 0, 0},
    {"budget.orchestrator_retries", Kind::integer, "0", "Retries for all workstreams of one orchestrator.", 0, 1 << 30},
    {"serve.req", Kind::text, "tcp://127.0.0.1:5555", "Where `sparky serve` takes requests.", 0, 0},
    {"serve.pub", Kind::text, "tcp://127.0.0.1:5556", "Where it publishes the compatible updates.", 0, 0},
    {"serve.events", Kind::text, "tcp://127.0.0.1:5557", "Where it publishes the full event stream.", 0, 0},
    {"serve.http", Kind::text, "127.0.0.1:8000", "Where /metrics and /healthz are served; none: nowhere.", 0, 0},
    {"serve.worker_idle", Kind::duration, "10m", "How long a worker that the daemon started waits for another job.", 0,
     0},
    {"serve.workers", Kind::text, "", "Where workers on other machines connect; empty: local ones only.", 0, 0},
};

// How a valid value is written in TOML.
std::string toml_literal(const Setting& setting, std::string_view text) {
  if (setting.kind == Kind::integer || setting.kind == Kind::boolean) return std::string(text);
  std::string out = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

std::string text_of(const toml::node& node) {
  if (auto s = node.value_exact<std::string>()) return *s;
  if (auto i = node.value_exact<int64_t>()) return std::to_string(*i);
  if (auto b = node.value_exact<bool>()) return *b ? "true" : "false";
  if (auto d = node.value_exact<double>()) return fmt::format("{}", *d);
  return {};
}

Diagnostic at(const std::string& file, const toml::source_region& where, std::string message, std::string help = {}) {
  return {Severity::error, file, int(where.begin.line), int(where.begin.column), std::move(message), std::move(help)};
}

// Debian's toml++ is built with exceptions; they end here.
std::expected<toml::table, Diagnostic> parse(std::string_view bytes, const std::string& file) {
  try {
    return toml::parse(bytes);
  } catch (const toml::parse_error& e) {
    return std::unexpected(at(file, e.source(), std::string(e.description())));
  }
}

std::vector<std::string> known_keys() {
  std::vector<std::string> keys;
  for (auto& s : table) keys.emplace_back(s.key);
  return keys;
}

std::string suggestion(std::string_view key) {
  auto near = nearest(key, known_keys());
  return near ? fmt::format("did you mean '{}'?", *near) : "`sparky config` lists every setting";
}

}  // namespace

std::string Setting::environment() const {
  std::string out = "SPARKY_";
  for (char c : key) out += c == '.' ? '_' : char(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

std::span<const Setting> settings() { return table; }

const Setting* find_setting(std::string_view key) {
  auto it = std::ranges::find(table, key, &Setting::key);
  return it == std::end(table) ? nullptr : it;
}

std::string_view name(Source source) {
  static constexpr std::string_view names[] = {"default", "file", "environment"};
  return names[size_t(source)];
}

Json describe(const Setting& setting, const Value& value) {
  return {{"key", setting.key},
          {"value", value.text},
          {"source", name(value.source)},
          {"default", setting.initial},
          {"environment", setting.environment()},
          {"meaning", setting.meaning}};
}

const Value& Config::value(std::string_view key) const { return values_.find(key)->second; }

int64_t Config::integer(std::string_view key) const {
  int64_t out = 0;
  auto& text = value(key).text;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}
Duration Config::duration(std::string_view key) const { return parse_duration(value(key).text).value_or(Duration{}); }
bool Config::boolean(std::string_view key) const { return value(key).text == "true"; }

std::optional<std::string> invalid(const Setting& setting, std::string_view text) {
  if (auto bad = invalid_utf8(text)) return fmt::format("not UTF-8 at byte {}", *bad);
  if (text.find_first_of("\n\r\t") != text.npos || text.find('\0') != text.npos) return "more than one line";
  switch (setting.kind) {
    case Kind::text:
      return std::nullopt;
    case Kind::boolean:
      if (text == "true" || text == "false") return std::nullopt;
      return fmt::format("'{}' is neither true nor false", text);
    case Kind::duration:
      if (auto parsed = parse_duration(text); !parsed) return parsed.error().text();
      return std::nullopt;
    case Kind::integer: {
      int64_t value = 0;
      auto [end, err] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (err != std::errc{} || end != text.data() + text.size() || text.empty())
        return fmt::format("'{}' is not a whole number", text);
      if (setting.min != setting.max && (value < setting.min || value > setting.max))
        return fmt::format("{} is not between {} and {}", value, setting.min, setting.max);
      return std::nullopt;
    }
  }
  return std::nullopt;
}

std::filesystem::path file_of(const std::filesystem::path& project) { return project / "sparky.toml"; }

struct Loader {
  Loaded out;
  std::string file;

  void put(const Setting& setting, std::string text, Source source) {
    out.config.values_.insert_or_assign(std::string(setting.key), Value{std::move(text), source});
  }

  void read_table(const toml::table& values, const std::string& prefix) {
    for (auto&& [key, node] : values) {
      std::string full = prefix + std::string(key.str());
      if (auto* inner = node.as_table(); inner && !find_setting(full)) {
        // [agents.*] belongs to the agents' profiles; it is checked where they are read.
        if (full != "agents") read_table(*inner, full + ".");
        continue;
      }
      auto* setting = find_setting(full);
      if (!setting) {
        out.found.push_back(at(file, key.source(), fmt::format("unknown setting '{}'", full), suggestion(full)));
        continue;
      }
      std::string text = text_of(node);
      bool wants_string = setting->kind == Kind::text || setting->kind == Kind::duration;
      if (wants_string != node.is_string() || !(node.is_string() || node.is_integer() || node.is_boolean())) {
        out.found.push_back(at(file, node.source(), fmt::format("'{}' has a value of the wrong type", full),
                               fmt::format("for example: {}", toml_literal(*setting, setting->initial))));
      } else if (auto why = invalid(*setting, text)) {
        out.found.push_back(at(file, node.source(), fmt::format("'{}': {}", full, *why)));
      } else {
        put(*setting, text, Source::file);
      }
    }
  }

  void read_environment(std::span<const char* const> environment) {
    for (std::string_view entry : environment) {
      auto equals = entry.find('=');
      if (equals == entry.npos || !entry.starts_with("SPARKY_")) continue;
      auto name = entry.substr(0, equals), text = entry.substr(equals + 1);
      for (auto& setting : table) {
        if (setting.environment() != name) continue;
        if (auto why = invalid(setting, text))
          out.found.push_back(
              {Severity::error, std::string(name), 0, 0, *why, "in the environment; unset it or mend it"});
        else
          put(setting, std::string(text), Source::environment);
      }
    }
  }
};

Loaded load(const std::filesystem::path& project, std::span<const char* const> environment) {
  Loader loader;
  loader.file = file_of(project).string();
  for (auto& setting : table) loader.put(setting, std::string(setting.initial), Source::initial);
  if (auto bytes = read_file(loader.file, 1 << 20)) {
    if (auto parsed = parse(*bytes, loader.file))
      loader.read_table(*parsed, "");
    else
      loader.out.found.push_back(parsed.error());
  } else if (!bytes.error().is(Errc::not_found)) {
    loader.out.found.push_back({Severity::error, loader.file, 0, 0, bytes.error().message, bytes.error().help});
  }
  loader.read_environment(environment);
  return std::move(loader.out);
}

Loaded load(const std::filesystem::path& project) {
  size_t count = 0;
  while (environ[count]) ++count;
  return load(project, std::span<const char* const>(environ, count));
}

namespace {

size_t offset_of(std::string_view bytes, toml::source_position where) {
  size_t at = 0;
  for (uint32_t line = 1; line < where.line; ++line) at = bytes.find('\n', at) + 1;
  // toml++ counts columns in code points.
  for (uint32_t column = 1; column < where.column && at < bytes.size(); ++at)
    if (at + 1 == bytes.size() || (bytes[at + 1] & 0xc0) != 0x80) ++column;
  return at;
}

// The file with `key = literal` in its table: behind the table's header, or in a new table at the end.
std::string with_new_key(std::string bytes, const toml::table& values, std::string_view key,
                         const std::string& literal) {
  auto dot = key.rfind('.');
  auto table_name = key.substr(0, dot);
  std::string line = fmt::format("{} = {}\n", key.substr(dot + 1), literal);
  if (!bytes.empty() && bytes.back() != '\n') bytes += '\n';
  auto* existing = values.at_path(table_name).as_table();
  if (!existing || existing->is_inline())
    return bytes + fmt::format("{}[{}]\n{}", bytes.empty() ? "" : "\n", table_name, line);
  auto header = offset_of(bytes, existing->source().begin);
  return bytes.insert(bytes.find('\n', header) + 1, line);
}

}  // namespace

Status set(const std::filesystem::path& project, std::string_view key, std::optional<std::string_view> text) {
  auto* setting = find_setting(key);
  if (!setting) return fail(Errc::invalid, fmt::format("unknown setting '{}'", key), suggestion(key));
  if (text)
    if (auto why = invalid(*setting, *text)) return fail(Errc::invalid, fmt::format("'{}': {}", key, *why));
  auto file = file_of(project);
  std::string bytes;
  if (auto read = read_file(file, 1 << 20))
    bytes = std::move(*read);
  else if (!read.error().is(Errc::not_found))
    return std::unexpected(read.error());
  auto parsed = parse(bytes, file.string());
  if (!parsed) return fail(Errc::invalid, parsed.error().text(), "mend the file first");
  auto node = parsed->at_path(key);
  if (!node && !text) return {};
  if (!node) {
    bytes = with_new_key(std::move(bytes), *parsed, key, toml_literal(*setting, *text));
  } else {
    auto begin = offset_of(bytes, node.node()->source().begin), end = offset_of(bytes, node.node()->source().end);
    if (text) {
      bytes.replace(begin, end - begin, toml_literal(*setting, *text));
    } else {
      auto line = bytes.rfind('\n', begin) + 1, next = bytes.find('\n', end);
      bytes.erase(begin == 0 ? 0 : line, next == bytes.npos ? bytes.npos : next + 1 - line);
    }
  }
  // The edit was made on text: the result must say what was meant, or nothing is written.
  auto again = parse(bytes, file.string());
  auto now = again ? again->at_path(key) : toml::node_view<toml::node>{};
  if (!again || bool(now) != text.has_value() || (text && text_of(*now.node()) != *text))
    return fail(Errc::invalid, fmt::format("{} is written in a way that cannot be edited automatically", file.string()),
                fmt::format("set {} = {} by hand", key, text ? toml_literal(*setting, *text) : "(remove it)"));
  return write_file_atomic(file, bytes);
}

}  // namespace sparky::config
