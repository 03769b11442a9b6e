#include "studio/dataset.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "base/files.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/text.h"
#include "pixel/files.h"
#include "studio/colors.h"
#include "studio/vocabulary.h"

namespace sparky::studio {
namespace fs = std::filesystem;
namespace {

constexpr size_t kMinOpaque = 40;  // of 1,024 pixels; less is a mark or an overlay, no sprite

// 4×4 means of premultiplied colour and alpha: what near twins share.
std::vector<float> signature(const pixel::Picture& p) {
  std::vector<float> out(8 * 8 * 4);
  for (int y = 0; y < kTile; ++y) {
    for (int x = 0; x < kTile; ++x) {
      const auto& c = p.at(x, y);
      float* cell = &out[size_t((y / 4) * 8 + x / 4) * 4];
      float a = float(c.a) / 255;
      cell[0] += float(c.r) * a / 16, cell[1] += float(c.g) * a / 16, cell[2] += float(c.b) * a / 16;
      cell[3] += float(c.a) / 16;
    }
  }
  return out;
}

float difference(const std::vector<float>& a, const std::vector<float>& b) {
  float sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / float(a.size());
}

// Joins what is named alike or looks alike, and gives every group to one side of the split.
void group_twins(std::vector<Sample>& samples, const Recipe& recipe) {
  std::vector<int> parent(samples.size());
  std::iota(parent.begin(), parent.end(), 0);
  auto root = [&](int i) {
    while (parent[size_t(i)] != i) i = parent[size_t(i)] = parent[size_t(parent[size_t(i)])];
    return i;
  };
  std::map<std::string, int> by_name;
  std::vector<std::vector<float>> signatures;
  for (const auto& s : samples) signatures.push_back(signature(s.picture));
  for (size_t i = 0; i < samples.size(); ++i) {
    const auto& s = samples[i];
    std::string key = s.kind + "|" + join(s.tags, " ") + "|" + s.name + "|" + s.text;
    auto [it, fresh] = by_name.try_emplace(key, int(i));
    if (!fresh) parent[size_t(root(int(i)))] = root(it->second);
    for (size_t j = 0; j < i; ++j) {
      if (samples[j].kind == s.kind && difference(signatures[i], signatures[j]) < 7) {
        parent[size_t(root(int(i)))] = root(int(j));
      }
    }
  }
  for (size_t i = 0; i < samples.size(); ++i) {
    samples[i].twins = root(int(i));
    const auto& first = samples[size_t(samples[i].twins)];
    uint32_t h = sha256(fmt::format("{} {}", recipe.seed, first.sha256))[0];
    samples[i].test = double(h) < recipe.test_share * 256;
  }
  // A word that only held-out pictures carry could never be learned: their groups go to training.
  std::set<std::string> learned;
  std::set<int> needed;
  for (const auto& s : samples) {
    if (s.test) continue;
    for (auto& word : prompt_words(caption(s))) learned.insert(std::move(word));
  }
  for (const auto& s : samples) {
    for (const auto& word : prompt_words(caption(s))) {
      if (!learned.contains(word)) needed.insert(s.twins);
    }
  }
  for (auto& s : samples) s.test = s.test && !needed.contains(s.twins);
}

Json to_json_object(const Sample& s) {
  Json j{{"source", s.source}, {"kind", s.kind},      {"sha256", s.sha256}, {"split", s.test ? "test" : "train"},
         {"twins", s.twins},   {"licence", s.licence}};
  if (!s.name.empty()) j["name"] = s.name;
  if (!s.tags.empty()) j["tags"] = s.tags;
  if (!s.colors.empty()) j["colors"] = s.colors;
  if (!s.text.empty()) j["text"] = s.text;
  for (const auto& p : s.parts) j["parts"].push_back({{"slot", p.slot}, {"color", p.color}, {"name", p.name}});
  return j;
}

Sample from_json_object(const Json& j) {
  Sample s;
  s.source = j.at("source");
  s.kind = j.at("kind");
  s.sha256 = j.at("sha256");
  s.test = j.at("split") == "test";
  s.twins = j.at("twins");
  s.licence = j.at("licence");
  s.name = j.value("name", "");
  s.tags = j.value("tags", std::vector<std::string>());
  s.colors = j.value("colors", std::vector<std::string>());
  s.text = j.value("text", "");
  for (const auto& p : j.value("parts", Json::array())) s.parts.push_back({p.at("slot"), p.at("color"), p.at("name")});
  return s;
}

std::map<std::string, std::string> read_caption_table(const fs::path& file) {
  std::map<std::string, std::string> out;
  auto text = read_file(file);
  if (!text) return out;
  for (auto line : split(*text, '\n')) {
    auto comma = line.find(',');
    if (comma == std::string_view::npos) continue;
    auto caption = trim(line.substr(comma + 1));
    if (caption.size() > 1 && caption.front() == '"' && caption.back() == '"') {
      caption = caption.substr(1, caption.size() - 2);
    }
    out[std::string(trim(line.substr(0, comma)))] = std::string(caption);
  }
  return out;
}

struct Builder {
  const Recipe& recipe;
  Built built;
  std::map<std::string, std::string> seen;  // pixel hash → source
  std::map<fs::path, std::map<std::string, std::string>> tables;

  void drop(const std::string& source, std::string reason) { built.dropped.push_back({source, std::move(reason)}); }

  void add(const Source& source, const fs::path& file) {
    std::string shown = (source.path.filename() / fs::relative(file, source.path)).generic_string();
    if (excluded(recipe, shown)) return drop(shown, "excluded by the recipe");
    auto png = pixel::read_picture(file);
    if (!png) return drop(shown, png.error().message);
    auto& picture = *png;
    if (picture.width != kTile || picture.height != kTile) {
      return drop(shown,
                  fmt::format("wrong size: {}×{} pixels, not {}×{}", picture.width, picture.height, kTile, kTile));
    }
    size_t opaque = size_t(std::ranges::count_if(picture.pixels, [](auto c) { return c.a >= 128; }));
    if (opaque < kMinOpaque) return drop(shown, fmt::format("nearly empty: {} opaque pixels", opaque));
    Sample s;
    s.sha256 = pixel_hash(picture);
    auto [it, fresh] = seen.try_emplace(s.sha256, shown);
    if (!fresh) return drop(shown, "same pixels as " + it->second);
    s.source = shown;
    s.licence = recipe.licence;
    s.picture = std::move(picture);
    s.colors = measured_colors(s.picture);
    describe(s, source, file);
    built.dataset.samples.push_back(std::move(s));
  }

  void describe(Sample& s, const Source& source, const fs::path& file) {
    fs::path below = fs::relative(file, source.path);
    std::vector<fs::path> folders(below.begin(), std::prev(below.end()));
    s.kind = !source.kind.empty() ? source.kind : folders.empty() ? "sprite" : folders.front().string();
    s.tags = source.tags;
    auto text_file = fs::path(file).replace_extension(".txt");
    auto [table, fresh] = tables.try_emplace(file.parent_path());
    if (fresh) table->second = read_caption_table(file.parent_path() / "captions.csv");
    if (auto text = read_file(text_file, 1 << 16)) {
      s.text = trim(*text);
    } else if (auto it = table->second.find(file.filename().string()); it != table->second.end()) {
      s.text = it->second;
    }
    auto name = path_words(file.stem().string(), recipe);
    s.name = join(name, " ");
    for (const auto& folder : folders) {
      for (auto& word : path_words(folder.string(), recipe)) {
        bool in_name = std::ranges::find(name, word) != name.end();
        if (word != s.kind && !in_name && std::ranges::find(s.tags, word) == s.tags.end()) s.tags.push_back(word);
      }
    }
  }
};

}  // namespace

std::string pixel_hash(const pixel::Picture& picture) {
  std::string bytes;
  bytes.reserve(picture.pixels.size() * 4);
  for (const auto& p : picture.pixels) {
    pixel::Rgba c = p.a == 0 ? pixel::Rgba{} : p;
    bytes.append({char(c.r), char(c.g), char(c.b), char(c.a)});
  }
  return sha256_hex(bytes);
}

Result<Built> build_dataset(const Recipe& recipe) {
  Builder builder{recipe, {}, {}, {}};
  for (const auto& source : recipe.sources) {
    if (!fs::is_directory(source.path)) {
      return fail(Errc::not_found, fmt::format("{} is not a folder", source.path.string()),
                  "name folders that hold PNG files");
    }
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(source.path)) {
      if (entry.is_regular_file() && lower(entry.path().extension().string()) == ".png") files.push_back(entry.path());
    }
    std::ranges::sort(files);
    for (const auto& file : files) builder.add(source, file);
  }
  auto& samples = builder.built.dataset.samples;
  group_twins(samples, recipe);
  if (!recipe.doll.empty() && recipe.characters > 0) {
    SPARKY_ASSIGN(auto characters, compose_characters(recipe));
    for (auto& c : characters) {
      c.twins = int(samples.size());
      samples.push_back(std::move(c));
    }
  }
  if (samples.empty()) {
    return fail(Errc::invalid, "no usable tile was found",
                fmt::format("tiles are {0}×{0} PNGs with at least {1} opaque pixels; {2} files were dropped", kTile,
                            kMinOpaque, builder.built.dropped.size()));
  }
  return std::move(builder.built);
}

Status write_dataset(const fs::path& dir, const Recipe& recipe, const Built& built) {
  SPARKY_TRY(make_directories(dir));
  std::string manifest, pixels;
  std::map<std::string, std::vector<pixel::Picture>> sheets;
  std::map<std::string, size_t> counts, drops;
  size_t test = 0;
  for (const auto& s : built.dataset.samples) {
    manifest += json_text(to_json_object(s)) + "\n";
    pixels.append(reinterpret_cast<const char*>(s.picture.pixels.data()), s.picture.pixels.size() * 4);
    ++counts[s.kind];
    test += s.test;
    if (sheets[s.kind].size() < 640) sheets[s.kind].push_back(s.picture);
  }
  Json dropped = Json::array();
  for (const auto& d : built.dropped) dropped.push_back({{"source", d.source}, {"reason", d.reason}});
  Json about{{"format", "sparky-dataset-1"},
             {"tile", kTile},
             {"samples", built.dataset.samples.size()},
             {"test", test},
             {"kinds", counts},
             {"licence", recipe.licence},
             {"seed", recipe.seed},
             {"manifest_sha256", sha256_hex(manifest)},
             {"pixels_sha256", sha256_hex(pixels)},
             {"dropped", dropped}};
  SPARKY_TRY(write_file_atomic(dir / "manifest.jsonl", manifest, {.sync = false}));
  SPARKY_TRY(write_file_atomic(dir / "pixels.rgba", pixels, {.sync = false}));
  for (const auto& [kind, tiles] : sheets) {
    SPARKY_TRY(pixel::write_png(dir / ("sheet-" + kind + ".png"), contact_sheet(tiles, 32, 1)));
  }
  return write_file_atomic(dir / "dataset.json", json_text(about, 1), {.sync = false});
}

Result<Dataset> read_dataset(const fs::path& dir) {
  auto about_text = read_file(dir / "dataset.json");
  if (!about_text) {
    return fail(Errc::not_found, fmt::format("{} is no dataset: {}", dir.string(), about_text.error().message),
                "make one: sparky dataset build FOLDER… -o " + dir.string());
  }
  SPARKY_ASSIGN(Json about, parse_json(*about_text));
  if (!about.is_object() || about.value("format", Json()) != "sparky-dataset-1") {
    return fail(Errc::invalid,
                fmt::format("{}: field 'format' is not \"sparky-dataset-1\"", (dir / "dataset.json").string()));
  }
  SPARKY_ASSIGN(std::string manifest, read_file(dir / "manifest.jsonl"));
  SPARKY_ASSIGN(std::string pixels, read_file(dir / "pixels.rgba", size_t(4) << 30));
  Dataset out;
  out.hash = sha256_hex(manifest);
  if (about.value("manifest_sha256", Json()) != out.hash ||
      about.value("pixels_sha256", Json()) != sha256_hex(pixels)) {
    return fail(Errc::corrupt, fmt::format("{}: the files do not match their hashes in dataset.json", dir.string()),
                "build the dataset again");
  }
  try {
    for (auto line : split(manifest, '\n')) {
      if (line.empty()) continue;
      SPARKY_ASSIGN(Json j, parse_json(line));
      out.samples.push_back(from_json_object(j));
    }
  } catch (const Json::exception& e) {
    return fail(Errc::invalid,
                fmt::format("{}: line {}: {}", (dir / "manifest.jsonl").string(), out.samples.size() + 1, e.what()));
  }
  constexpr size_t kBytes = size_t(kTile) * kTile * 4;
  if (pixels.size() != out.samples.size() * kBytes) {
    return fail(Errc::corrupt, fmt::format("{}: pixels.rgba has {} bytes, {} samples need {}", dir.string(),
                                           pixels.size(), out.samples.size(), out.samples.size() * kBytes));
  }
  for (size_t i = 0; i < out.samples.size(); ++i) {
    out.samples[i].picture = pixel::Picture(kTile, kTile);
    std::memcpy(out.samples[i].picture.pixels.data(), pixels.data() + i * kBytes, kBytes);
  }
  return out;
}

pixel::Picture contact_sheet(const std::vector<pixel::Picture>& tiles, int columns, int scale) {
  if (tiles.empty()) return pixel::Picture(1, 1);
  int w = tiles[0].width * scale + 1, h = tiles[0].height * scale + 1;
  columns = std::min(columns, int(tiles.size()));
  int rows = (int(tiles.size()) + columns - 1) / columns;
  pixel::Picture out(columns * w + 1, rows * h + 1, {64, 64, 64, 255});
  for (size_t i = 0; i < tiles.size(); ++i) {
    int left = int(i) % columns * w + 1, top = int(i) / columns * h + 1;
    for (int y = 0; y < h - 1; ++y) {
      for (int x = 0; x < w - 1; ++x) {
        auto c = tiles[i].at(x / scale, y / scale);
        uint8_t ground = ((x / scale / 4 + y / scale / 4) & 1) != 0 ? 150 : 170;
        auto mix = [&](uint8_t v) { return uint8_t((v * c.a + ground * (255 - c.a)) / 255); };
        out.at(left + x, top + y) = {mix(c.r), mix(c.g), mix(c.b), 255};
      }
    }
  }
  return out;
}

}  // namespace sparky::studio
