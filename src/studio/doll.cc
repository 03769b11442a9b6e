// Characters from paper-doll layers: one folder per slot, drawn over each other.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/hash.h"
#include "base/text.h"
#include "pixel/files.h"
#include "studio/colors.h"
#include "studio/dataset.h"

namespace sparky::studio {
namespace fs = std::filesystem;
namespace {

struct Slot {
  std::string_view folder;
  double chance;
  std::string_view noun;  // what it is called when its file name does not say
  bool always_noun;       // "red" in cloak/ is a "red cloak"
};
// In drawing order: the cloak hangs behind the body, hands are in front of everything.
constexpr Slot kSlots[] = {
    {"cloak", 0.45, "cloak", true},  {"base", 1.0, "person", false},   {"legs", 0.7, "pants", false},
    {"boots", 0.6, "boots", true},   {"body", 0.88, "clothes", false}, {"gloves", 0.35, "gloves", true},
    {"beard", 0.2, "beard", true},   {"hair", 0.6, "hair", true},      {"head", 0.4, "hat", false},
    {"hand1", 0.8, "weapon", false}, {"hand2", 0.4, "shield", false},
};

struct Layer {
  pixel::Picture picture;
  Part part;
  bool legless = false;  // a base whose lower half is no pair of legs
  bool female = false;
};

pixel::Picture over(pixel::Picture below, const pixel::Picture& above) {
  for (size_t i = 0; i < below.pixels.size(); ++i) {
    auto& d = below.pixels[i];
    const auto& s = above.pixels[i];
    if (s.a == 0) continue;
    if (s.a == 255 || d.a == 0) {
      d = s;
      continue;
    }
    int a = s.a, out = a + d.a * (255 - a) / 255;
    auto mix = [&](int x, int y) { return uint8_t((x * a + y * (out - a)) / out); };
    d = {mix(s.r, d.r), mix(s.g, d.g), mix(s.b, d.b), uint8_t(out)};
  }
  return below;
}

Part describe(const Slot& slot, const std::vector<std::string>& words, const pixel::Picture& picture) {
  Part part{std::string(slot.folder), "", ""};
  std::vector<std::string> name, colors;
  for (const auto& w : words) (is_color_word(w) ? colors : name).push_back(w);
  if (colors.empty() && slot.folder != "base") {
    if (auto measured = measured_colors(picture); !measured.empty()) colors = {measured[0]};
  }
  part.color = join(colors, " ");
  if (name.empty() || (slot.always_noun && std::ranges::find(name, slot.noun) == name.end())) {
    name.emplace_back(slot.noun);
  }
  part.name = join(name, " ");
  return part;
}

Result<std::vector<Layer>> read_layers(const Recipe& recipe, const Slot& slot) {
  std::vector<fs::path> files;
  std::error_code ec;
  for (fs::recursive_directory_iterator it(recipe.doll / slot.folder, ec), end; !ec && it != end; it.increment(ec)) {
    if (it->path().extension() == ".png") files.push_back(it->path());
  }
  std::ranges::sort(files);
  std::vector<Layer> out;
  for (const auto& file : files) {
    std::string relative = fs::relative(file, recipe.doll.parent_path()).generic_string();
    if (excluded(recipe, relative)) continue;
    auto png = pixel::read_picture(file);
    if (!png || png->width != kTile || png->height != kTile) continue;
    auto words = path_words(file.stem().string(), recipe);
    Layer layer{std::move(*png), {}, false, false};
    layer.part = describe(slot, words, layer.picture);
    auto stem = file.stem().string();
    layer.legless = stem.starts_with("naga") || stem.starts_with("centaur");
    layer.female = std::ranges::find(words, "female") != words.end();
    out.push_back(std::move(layer));
  }
  if (out.empty() && slot.folder == "base") {
    return fail(Errc::not_found, fmt::format("{} has no usable layers", (recipe.doll / slot.folder).string()),
                "paper-doll layers are 32×32 PNGs in base/, body/, hair/, cloak/, hand1/, …");
  }
  return out;
}

// One in about a hundred pairs of parts is kept for testing: no training character shows both.
bool held_out_pair(const Part& a, const Part& b) {
  if (a.slot == "base" || b.slot == "base") return false;
  return sha256(a.slot + a.text() + "|" + b.slot + b.text())[0] < 3;
}

bool has_held_out_pair(const std::vector<Part>& parts) {
  for (size_t i = 0; i < parts.size(); ++i) {
    for (size_t j = i + 1; j < parts.size(); ++j) {
      if (held_out_pair(parts[i], parts[j])) return true;
    }
  }
  return false;
}

}  // namespace

Result<std::vector<Sample>> compose_characters(const Recipe& recipe) {
  std::vector<std::vector<Layer>> slots;
  for (const auto& slot : kSlots) {
    SPARKY_ASSIGN(auto layers, read_layers(recipe, slot));
    slots.push_back(std::move(layers));
  }
  // Layers whose names differ in a number only look alike; each name has the same chance, not each file.
  std::vector<std::vector<std::vector<size_t>>> by_name(slots.size());
  for (size_t s = 0; s < slots.size(); ++s) {
    std::map<std::string, std::vector<size_t>> groups;
    for (size_t i = 0; i < slots[s].size(); ++i) groups[slots[s][i].part.text()].push_back(i);
    for (auto& [name, members] : groups) by_name[s].push_back(members);
  }
  Random random(recipe.seed);
  std::vector<Sample> out;
  size_t want_test = recipe.characters / 20, train = 0, test = 0;
  std::set<std::string> seen;
  for (size_t tries = 0; train < recipe.characters && tries < 20 * recipe.characters; ++tries) {
    std::vector<const Layer*> chosen;
    const Layer* base = nullptr;
    auto pick = [&](size_t s) {
      const auto& group = by_name[s][random.below(by_name[s].size())];
      return &slots[s][group[random.below(group.size())]];
    };
    base = pick(1);
    bool hat = false;
    for (size_t s = 0; s < std::size(kSlots); ++s) {
      const auto& slot = kSlots[s];
      if (slot.folder == "base") {
        chosen.push_back(base);
        continue;
      }
      if (slots[s].empty() || !random.chance(slot.chance)) continue;
      if (base->legless && (slot.folder == "legs" || slot.folder == "boots")) continue;
      if (slot.folder == "beard" && base->female) continue;
      if (slot.folder == "head") hat = true;
      chosen.push_back(pick(s));
    }
    if (hat) std::erase_if(chosen, [](const Layer* l) { return l->part.slot == "hair"; });
    Sample sample;
    sample.kind = "character";
    sample.picture = pixel::Picture(kTile, kTile);
    for (const auto* layer : chosen) {
      sample.picture = over(std::move(sample.picture), layer->picture);
      sample.parts.push_back(layer->part);
    }
    // Who it is comes first, what it wears after.
    std::ranges::stable_partition(sample.parts, [](const Part& p) { return p.slot == "base"; });
    sample.test = has_held_out_pair(sample.parts);
    if (sample.test && test >= want_test) continue;
    sample.sha256 = pixel_hash(sample.picture);
    if (!seen.insert(sample.sha256).second) continue;
    sample.source = fmt::format("composition {}", tries);
    sample.licence = recipe.licence;
    ++(sample.test ? test : train);
    out.push_back(std::move(sample));
  }
  return out;
}

}  // namespace sparky::studio
