// Config: the settings of a project. Each has a default, may stand in sparky.toml beside .sparky/, and may be
// overridden by SPARKY_* in the environment; each value knows where it comes from. One table (settings()) says all
// there is: it makes `sparky config`, the TUI's settings screen, docs/config.md and the validation.
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/diagnostic.h"
#include "base/error.h"
#include "base/json.h"
#include "base/time.h"

namespace sparky::config {

enum class Kind { text, integer, duration, boolean };

struct Setting {
  std::string_view key;  // "serve.req"
  Kind kind = Kind::text;
  std::string_view initial;  // the default, as it would be written in the file (text without quotes)
  std::string_view meaning;  // one sentence
  int64_t min = 0, max = 0;  // of an integer; equal: no limits

  std::string environment() const;  // "SPARKY_SERVE_REQ"
};

std::span<const Setting> settings();
const Setting* find_setting(std::string_view key);

enum class Source { initial, file, environment };
std::string_view name(Source source);  // "default", "file", "environment"

struct Value {
  std::string text;  // valid for its setting
  Source source = Source::initial;
};

class Config {
 public:
  const Value& value(std::string_view key) const;  // the key must be one of settings()
  std::string text(std::string_view key) const { return value(key).text; }
  int64_t integer(std::string_view key) const;
  Duration duration(std::string_view key) const;
  bool boolean(std::string_view key) const;

 private:
  friend struct Loader;
  std::map<std::string, Value, std::less<>> values_;
};

// What is wrong with a value for this setting, or nothing.
std::optional<std::string> invalid(const Setting& setting, std::string_view text);

// {key, value, source, default, environment, meaning}, as every face shows it.
Json describe(const Setting& setting, const Value& value);

struct Loaded {
  Config config;
  std::vector<Diagnostic> found;  // unknown keys (with the nearest), bad values; with an error `config` keeps defaults
};
std::filesystem::path file_of(const std::filesystem::path& project);  // PROJECT/sparky.toml
// A missing file is no error. `environment` is NAME=value pairs (environ).
Loaded load(const std::filesystem::path& project, std::span<const char* const> environment);
Loaded load(const std::filesystem::path& project);  // with this process's environment

// Sets (or with nullopt removes) one key in sparky.toml, atomically. Comments, order and everything else stay as they
// are. Errors: unknown key, bad value, a file that does not parse.
Status set(const std::filesystem::path& project, std::string_view key, std::optional<std::string_view> text);

}  // namespace sparky::config
