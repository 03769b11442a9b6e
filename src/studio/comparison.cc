#include "studio/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/text.h"
#include "base/time.h"

namespace sparky::studio {
namespace {

using pixel::Picture;
using pixel::Rgba;

std::unexpected<Error> wrong(std::string_view field, std::string_view right) {
  return fail(Errc::invalid, fmt::format("comparison: field '{}' must be {}", field, right));
}

Result<std::string> text(const Json& json, const char* field, bool required, size_t most = 4096) {
  auto it = json.find(field);
  if (it == json.end() && !required) return std::string();
  if (it == json.end() || !it->is_string() || it->get_ref<const std::string&>().size() > most)
    return wrong(field, fmt::format("text of at most {} bytes", most));
  auto value = it->get<std::string>();
  if (required && trim(value).empty()) return wrong(field, "not empty");
  return value;
}

Result<double> number(const Json& json, const char* field, double initial) {
  auto it = json.find(field);
  if (it == json.end()) return initial;
  if (!it->is_number()) return wrong(field, "a number");
  return it->get<double>();
}

Result<ComparisonEntry> parse_entry(const Json& json) {
  if (!json.is_object()) return wrong("entries", "a list of maps");
  ComparisonEntry e;
  SPARKY_ASSIGN(e.job, text(json, "job", true));
  SPARKY_ASSIGN(e.model, text(json, "model", true));
  SPARKY_ASSIGN(e.base_model, text(json, "base_model", false));
  SPARKY_ASSIGN(e.lora, text(json, "lora", false));
  SPARKY_ASSIGN(e.image, text(json, "image", false));
  SPARKY_ASSIGN(e.lora_strength, number(json, "lora_strength", 1));
  SPARKY_ASSIGN(e.generation_time_s, number(json, "generation_time_s", 0));
  return e;
}

Status check_winner(const Comparison& c) {
  if (c.winner.empty() || c.winner == "tie") return {};
  bool number = c.winner.size() == 1 && c.winner[0] >= '1' && size_t(c.winner[0] - '0') <= c.entries.size();
  return number ? Status{} : wrong("winner", fmt::format("1 to {}, or tie", c.entries.size()));
}

std::string csv_field(std::string_view value) {
  if (value.find_first_of(",\"\r\n") == value.npos) return std::string(value);
  std::string out = "\"";
  for (char c : value) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

}  // namespace

Json to_json(const Comparison& c) {
  Json out{{"id", c.id}, {"created", c.created}, {"prompt", c.prompt}, {"seed", c.seed}, {"entries", Json::array()}};
  for (auto& e : c.entries) {
    Json entry{{"job", e.job}, {"model", e.model}};
    if (!e.base_model.empty()) entry["base_model"] = e.base_model;
    if (!e.lora.empty()) entry["lora"] = e.lora, entry["lora_strength"] = e.lora_strength;
    if (!e.image.empty()) entry["image"] = e.image;
    if (e.generation_time_s > 0) entry["generation_time_s"] = e.generation_time_s;
    out["entries"].push_back(std::move(entry));
  }
  if (!c.winner.empty()) out["winner"] = c.winner;
  if (!c.notes.empty()) out["notes"] = c.notes;
  if (!c.completed_at.empty()) out["completed_at"] = c.completed_at;
  return out;
}

Result<Comparison> parse_comparison(const Json& json) {
  if (!json.is_object()) return fail(Errc::invalid, "a comparison must be a map");
  Comparison c;
  SPARKY_ASSIGN(c.id, text(json, "id", true, 200));
  SPARKY_ASSIGN(c.created, text(json, "created", true));
  SPARKY_ASSIGN(c.prompt, text(json, "prompt", true));
  SPARKY_ASSIGN(c.winner, text(json, "winner", false));
  SPARKY_ASSIGN(c.notes, text(json, "notes", false, 65536));
  SPARKY_ASSIGN(c.completed_at, text(json, "completed_at", false));
  if (auto parsed = parse_iso(c.created); !parsed) return wrong("created", "a time as in 2025-11-12T14:30:00Z");
  auto seed = json.find("seed");
  if (seed == json.end() || !seed->is_number_integer() || (!seed->is_number_unsigned() && seed->get<int64_t>() < 0))
    return wrong("seed", "a whole number ≥ 0");
  c.seed = seed->get<uint64_t>();
  auto entries = json.find("entries");
  if (entries == json.end() || !entries->is_array() || entries->size() < 2 || entries->size() > 4)
    return wrong("entries", "a list of two to four");
  for (auto& entry : *entries) {
    SPARKY_ASSIGN(auto parsed, parse_entry(entry));
    c.entries.push_back(std::move(parsed));
  }
  SPARKY_TRY(check_winner(c));
  return c;
}

Status judge(Comparison& c, std::string_view winner, std::string_view notes, std::string_view at) {
  Comparison judged = c;
  judged.winner = winner;
  if (winner.empty()) return wrong("winner", fmt::format("1 to {}, or tie", c.entries.size()));
  SPARKY_TRY(check_winner(judged));
  if (!notes.empty()) judged.notes = notes;
  judged.completed_at = at;
  c = std::move(judged);
  return {};
}

void take_job(Comparison& c, const Json& job) {
  if (!job.is_object() || job.value("state", "") != "completed") return;
  for (auto& e : c.entries) {
    if (e.job != job.value("id", "")) continue;
    auto result = job.value("result", Json::object());
    if (result.is_object() && result.contains("image_path") && result["image_path"].is_string())
      e.image = result["image_path"];
    auto from = parse_iso(job.value("started", "")), to = parse_iso(job.value("finished", ""));
    if (from && to) e.generation_time_s = double((*to - *from).count()) / 1000;
  }
}

std::vector<Standing> standings(std::span<const Comparison> comparisons) {
  std::map<std::string, Standing> by_model;
  std::map<std::string, int> timed;
  for (auto& c : comparisons) {
    if (c.winner.empty()) continue;
    for (size_t i = 0; i < c.entries.size(); ++i) {
      auto& e = c.entries[i];
      auto name = e.lora.empty() ? e.model : e.model + " + " + e.lora;
      auto& s = by_model[name];
      s.model = name;
      ++s.judged;
      s.wins += c.winner == std::to_string(i + 1);
      s.ties += c.winner == "tie";
      if (e.generation_time_s > 0) s.mean_time_s += e.generation_time_s, ++timed[name];
    }
  }
  std::vector<Standing> out;
  for (auto& [name, s] : by_model) {
    if (timed[name] > 0) s.mean_time_s /= timed[name];
    out.push_back(s);
  }
  std::ranges::stable_sort(out, [](auto& a, auto& b) { return a.win_rate() > b.win_rate(); });
  return out;
}

std::string to_csv(std::span<const Comparison> comparisons) {
  std::string out =
      "comparison_id,prompt,seed,model_name,base_model,lora,lora_strength,generation_time_s,winner,notes,"
      "completed_at\r\n";
  for (auto& c : comparisons)
    for (size_t i = 0; i < c.entries.size(); ++i) {
      auto& e = c.entries[i];
      std::string winner = c.winner.empty() || c.winner == "tie" ? c.winner
                           : c.winner == std::to_string(i + 1)   ? "true"
                                                                 : "false";
      out += fmt::format("{},{},{},{},{},{},{},{},{},{},{}\r\n", csv_field(c.id), csv_field(c.prompt), c.seed,
                         csv_field(e.model), csv_field(e.base_model), csv_field(e.lora),
                         e.lora.empty() ? "" : fmt::format("{}", e.lora_strength),
                         e.generation_time_s > 0 ? fmt::format("{:.3f}", e.generation_time_s) : "", winner,
                         csv_field(c.notes), csv_field(c.completed_at));
    }
  return out;
}

Picture side_by_side(std::span<const Picture> pictures, std::optional<size_t> winner) {
  constexpr int gap = 8, frame = 2;
  constexpr Rgba gold{255, 200, 40, 255};
  int tallest = 256;
  for (auto& p : pictures) tallest = std::max(tallest, p.height);
  std::vector<int> scales;
  int width = gap, height = 0;
  for (auto& p : pictures) {
    scales.push_back(p.empty() ? 1 : std::max(1, tallest / p.height));
    width += (p.empty() ? tallest : p.width * scales.back()) + gap;
    height = std::max(height, p.empty() ? tallest : p.height * scales.back());
  }
  Picture out(width, height + 2 * gap);
  int x0 = gap;
  for (size_t i = 0; i < pictures.size(); ++i) {
    auto& p = pictures[i];
    int w = p.empty() ? tallest : p.width * scales[i], h = p.empty() ? tallest : p.height * scales[i];
    for (int y = 0; y < h && !p.empty(); ++y)
      for (int x = 0; x < w; ++x) out.at(x0 + x, gap + y) = p.at(x / scales[i], y / scales[i]);
    if (winner == i)
      for (int y = -frame; y < h + frame; ++y)
        for (int x = -frame; x < w + frame; ++x)
          if (x < 0 || y < 0 || x >= w || y >= h) out.at(x0 + x, gap + y) = gold;
    x0 += w + gap;
  }
  return out;
}

ComparisonStore::ComparisonStore(const std::filesystem::path& project)
    : file_(project / ".sparky" / "comparisons.json") {}

Result<std::vector<Comparison>> ComparisonStore::list() const {
  auto bytes = read_file(file_);
  if (!bytes && bytes.error().is(Errc::not_found)) return std::vector<Comparison>{};
  if (!bytes) return std::unexpected(bytes.error());
  SPARKY_ASSIGN(auto json, parse_json(*bytes));
  if (!json.is_array()) return fail(Errc::corrupt, file_.string() + " holds no list", "move it away");
  std::vector<Comparison> all;
  for (auto& item : json) {
    auto parsed = parse_comparison(item);
    if (!parsed) return fail(Errc::corrupt, file_.string() + ": " + parsed.error().message, "mend it or move it away");
    all.push_back(std::move(*parsed));
  }
  std::ranges::stable_sort(all, std::greater{}, &Comparison::created);
  return all;
}

Status ComparisonStore::save(const Comparison& comparison) {
  SPARKY_ASSIGN(auto all, list());
  auto same = std::ranges::find(all, comparison.id, &Comparison::id);
  if (same != all.end())
    *same = comparison;
  else
    all.insert(all.begin(), comparison);
  Json out = Json::array();
  for (auto& c : all) out.push_back(to_json(c));
  return write_file_atomic(file_, json_text(out, 1) + "\n", {.mode = 0600});
}

}  // namespace sparky::studio
