// Profiles of validate.h: the built-in ones, and TOML in and out through one table of fields.
#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>
#include <regex>
#include <sstream>
#include <variant>

#include "base/files.h"
#include "base/text.h"
#include "pixel/validate.h"

namespace sparky::pixel {
namespace {

using Field = std::variant<std::string Profile::*, int Profile::*, bool Profile::*, int64_t Profile::*>;

const std::vector<std::pair<std::string, Field>>& fields() {
  static const std::vector<std::pair<std::string, Field>> table = {
      {"name", &Profile::name},
      {"name_pattern", &Profile::name_pattern},
      {"width_min", &Profile::width_min},
      {"width_max", &Profile::width_max},
      {"height_min", &Profile::height_min},
      {"height_max", &Profile::height_max},
      {"multiple_of", &Profile::multiple_of},
      {"power_of_two", &Profile::power_of_two},
      {"square", &Profile::square},
      {"colors_max", &Profile::colors_max},
      {"binary_alpha", &Profile::binary_alpha},
      {"opaque", &Profile::opaque},
      {"not_empty", &Profile::not_empty},
      {"frames_same_size", &Profile::frames_same_size},
      {"frames_numbered", &Profile::frames_numbered},
      {"frames_min", &Profile::frames_min},
      {"palette_drift_max", &Profile::palette_drift_max},
      {"baseline_drift_max", &Profile::baseline_drift_max},
      {"seamless", &Profile::seamless},
      {"file_bytes_max", &Profile::file_bytes_max},
  };
  return table;
}

std::unexpected<Error> wrong(const std::string& file, const toml::source_region& where, const std::string& message,
                             std::string help = {}) {
  return fail(Errc::invalid, fmt::format("{}:{}:{}: {}", file, where.begin.line, where.begin.column, message),
              std::move(help));
}

// What a value of this field looks like; empty if the node was taken.
std::string take(Profile& profile, const Field& field, const toml::node& node) {
  if (const auto* text = std::get_if<std::string Profile::*>(&field)) {
    const auto value = node.value_exact<std::string>();
    if (!value) return "text";
    profile.** text = *value;
  } else if (const auto* flag = std::get_if<bool Profile::*>(&field)) {
    const auto value = node.value_exact<bool>();
    if (!value) return "true or false";
    profile.** flag = *value;
  } else {
    const auto value = node.value_exact<int64_t>();
    const auto* wide = std::get_if<int64_t Profile::*>(&field);
    const int64_t most = wide ? int64_t(1) << 40 : 1 << 20;
    if (!value || *value < -1 || *value > most) return fmt::format("a whole number from -1 to {}", most);
    if (wide) {
      profile.** wide = *value;
    } else {
      profile.**std::get_if<int Profile::*>(&field) = int(*value);
    }
  }
  return {};
}

}  // namespace

const std::vector<Profile>& builtin_profiles() {
  static const std::vector<Profile> profiles = [] {
    const std::string words = "[a-z][a-z0-9]*(_[a-z0-9]+)+";
    Profile plain{.name = "plain", .width_max = 16384, .height_max = 16384};
    Profile bevy{.name = "bevy",
                 .name_pattern = words,
                 .width_max = 2048,
                 .height_max = 2048,
                 .frames_same_size = true,
                 .frames_numbered = true,
                 .file_bytes_max = 4 << 20};
    Profile godot = bevy;
    godot.name = "godot";
    godot.width_max = godot.height_max = 4096;
    Profile tiled = bevy;
    tiled.name = "tiled";
    tiled.multiple_of = 8;
    return std::vector{bevy, godot, tiled, plain};
  }();
  return profiles;
}

Result<Profile> parse_profile(std::string_view text, const std::string& file) {
  toml::table table;
  try {
    table = toml::parse(text);
  } catch (const toml::parse_error& e) {
    return wrong(file, e.source(), std::string(e.description()));
  }
  Profile profile;
  std::vector<std::string> known;
  for (const auto& [name, field] : fields()) known.push_back(name);
  for (const auto& [key, node] : table) {
    const auto found = std::ranges::find(fields(), std::string(key.str()), [](const auto& f) { return f.first; });
    if (found == fields().end()) {
      const auto near = nearest(key.str(), known);
      return wrong(file, key.source(), fmt::format("a profile has no field '{}'", printable(key.str())),
                   near ? fmt::format("did you mean '{}'?", *near) : "its fields: " + join(known, ", "));
    }
    if (const std::string right = take(profile, found->second, node); !right.empty()) {
      return wrong(file, node.source(), fmt::format("'{}' must be {}", found->first, right));
    }
    if (found->first == "name_pattern") {
      try {
        const std::regex tried(profile.name_pattern);
      } catch (const std::regex_error& e) {
        return wrong(file, node.source(), fmt::format("'name_pattern' is no regular expression: {}", e.what()));
      }
    }
  }
  if (profile.name.empty()) profile.name = std::filesystem::path(file).stem().string();
  return profile;
}

Result<Profile> find_profile(std::string_view name_or_file) {
  const auto& profiles = builtin_profiles();
  const auto found = std::ranges::find(profiles, name_or_file, &Profile::name);
  if (found != profiles.end()) return *found;
  const std::filesystem::path file(name_or_file);
  if (file.extension() != ".toml") {
    std::vector<std::string> names;
    for (const Profile& p : profiles) names.push_back(p.name);
    const auto near = nearest(name_or_file, names);
    return fail(
        Errc::not_found, fmt::format("no profile '{}'", printable(name_or_file)),
        near ? fmt::format("did you mean '{}'?", *near) : "give one of " + join(names, ", ") + ", or a .toml file");
  }
  SPARKY_ASSIGN(const std::string text, read_file(file, 1 << 20));
  return parse_profile(text, file.string());
}

std::string to_toml(const Profile& profile) {
  std::string out;
  for (const auto& [name, field] : fields()) {
    std::visit(
        [&, &key = name](auto member) {
          toml::table one;
          one.insert(key, profile.*member);
          std::ostringstream text;
          text << one << "\n";
          out += text.str();
        },
        field);
  }
  return out;
}

}  // namespace sparky::pixel
