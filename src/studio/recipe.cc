// Recipes: which folders a dataset is made of, what to leave out, and what path words mean.
#include <fmt/format.h>

#include <toml++/toml.h>
#include <algorithm>

#include "base/text.h"
#include "studio/dataset.h"

namespace sparky::studio {
namespace fs = std::filesystem;

bool excluded(const Recipe& recipe, std::string_view source) {
  for (std::string_view pattern : recipe.exclude) {
    bool open_start = pattern.starts_with('*');
    if (open_start) pattern.remove_prefix(1);
    if (open_start ? source.find(pattern) != std::string_view::npos : source.starts_with(pattern)) return true;
  }
  return false;
}

std::vector<std::string> path_words(std::string_view stem, const Recipe& recipe) {
  std::vector<std::string> out;
  std::string word;
  auto finish = [&] {
    if (word.empty()) return;
    auto it = recipe.words.find(word);
    if (it != recipe.words.end()) {
      for (auto w : split(it->second, ' ')) {
        if (!w.empty()) out.emplace_back(w);
      }
    } else if (word.size() > 1) {
      out.push_back(word == "grey" ? "gray" : word);
    }
    word.clear();
  };
  for (char c : lower(stem)) {
    if (c >= 'a' && c <= 'z') {
      word += c;
    } else {
      finish();
    }
  }
  finish();
  return out;
}

Result<Recipe> read_recipe(const fs::path& file, const fs::path& root) {
  toml::table t;
  try {
    t = toml::parse_file(file.string());
  } catch (const toml::parse_error& e) {
    return fail(Errc::invalid, fmt::format("{}:{}:{}: {}", file.string(), e.source().begin.line,
                                           e.source().begin.column, e.description()));
  }
  auto wrong = [&](std::string what) { return fail(Errc::invalid, fmt::format("{}: {}", file.string(), what)); };
  for (const auto& [key, value] : t) {
    static constexpr std::string_view known[] = {"licence", "seed", "test_share", "exclude", "words", "source", "doll"};
    if (std::ranges::find(known, key.str()) == std::end(known)) {
      return wrong(fmt::format("line {}: unknown field '{}'", value.source().begin.line, std::string_view(key.str())));
    }
  }
  Recipe r;
  r.licence = t["licence"].value_or("unknown");
  r.seed = uint64_t(t["seed"].value_or(int64_t(1)));
  r.test_share = t["test_share"].value_or(r.test_share);
  if (auto* list = t["exclude"].as_array()) {
    for (const auto& e : *list) r.exclude.push_back(e.value_or(""));
  }
  if (auto* words = t["words"].as_table()) {
    for (const auto& [key, value] : *words) r.words[std::string(key.str())] = value.value_or("");
  }
  if (auto* sources = t["source"].as_array()) {
    for (auto& node : *sources) {
      auto* s = node.as_table();
      auto path = s ? (*s)["path"].value<std::string>() : std::nullopt;
      if (!path) return wrong(fmt::format("line {}: every [[source]] needs a path", node.source().begin.line));
      Source source{root / *path, (*s)["kind"].value_or(""), {}};
      if (auto* tags = (*s)["tags"].as_array()) {
        for (const auto& tag : *tags) source.tags.push_back(tag.value_or(""));
      }
      r.sources.push_back(std::move(source));
    }
  }
  if (auto* doll = t["doll"].as_table()) {
    r.doll = root / (*doll)["path"].value_or("player");
    r.characters = size_t(std::max<int64_t>(0, (*doll)["count"].value_or(int64_t(8000))));
  }
  return r;
}

}  // namespace sparky::studio
