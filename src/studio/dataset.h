// Dataset: captioned 32×32 tiles ready to train on. On disk a folder with
//   manifest.jsonl   one object per tile: source, kind, caption parts, licence, split, twin group, SHA-256 of the
//   pixels pixels.rgba      the tiles' pixels in the manifest's order, width × height × 4 bytes each dataset.json how
//   it was made, counts, hash of pixels.rgba, what was dropped and why sheet-KIND.png   contact sheets to look at
#pragma once
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "base/random.h"
#include "pixel/picture.h"

namespace sparky::studio {

inline constexpr int kTile = 32;

// One thing a character wears or holds: {"cloak", "red", "cloak"}, {"hand1", "", "axe double"}.
struct Part {
  std::string slot, color, name;
  std::string text() const { return color.empty() ? name : color + " " + name; }
};

struct Sample {
  pixel::Picture picture;           // kTile × kTile
  std::string source;               // where it came from, relative to the dataset's source folder
  std::string kind;                 // monster, item, dungeon, effect, character, …
  std::string name;                 // "swamp dragon"; may be empty
  std::vector<std::string> tags;    // from the folders: "dragon"
  std::vector<std::string> colors;  // measured: "dark green"
  std::vector<Part> parts;          // characters only
  std::string text;                 // a caption that a person wrote; stands instead of name, tags, colours
  std::string licence;
  std::string sha256;  // of the pixels, fully transparent ones counted equal
  bool test = false;   // held out
  int twins = 0;       // samples that look or are named alike share this number, and the split
};

struct Dataset {
  std::vector<Sample> samples;
  std::string hash;  // SHA-256 of manifest.jsonl
};

// The whole caption, as a person would write it: "red swamp dragon, dragon, monster".
std::string caption(const Sample& sample);
// A caption for one training step: groups left out or reordered, words misspelt now and then. `turned` are the
// measured colours of a hue-turned picture, which take the place of all colour words; empty otherwise.
std::vector<std::string> training_words(const Sample& sample, Random& random,
                                        const std::vector<std::string>& turned = {});

// --- Building

struct Source {
  std::filesystem::path path;     // a folder; all PNGs below it
  std::string kind;               // empty: the name of the first folder below
  std::vector<std::string> tags;  // for every tile
};
struct Recipe {
  std::string licence = "unknown";
  std::vector<Source> sources;
  std::vector<std::string> exclude;          // path prefixes; with a leading *, found anywhere in the path
  std::map<std::string, std::string> words;  // path word → what a caption says; "" drops it
  std::filesystem::path doll;                // paper-doll layers, one folder per slot; empty: none
  size_t characters = 0;                     // compositions to make
  double test_share = 0.06;
  uint64_t seed = 1;
};
// A recipe file (TOML); paths in it are relative to `root`.
Result<Recipe> read_recipe(const std::filesystem::path& file, const std::filesystem::path& root);

struct Dropped {
  std::string source, reason;
};
struct Built {
  Dataset dataset;
  std::vector<Dropped> dropped;
};
// Captions come from NAME.txt beside NAME.png, else from captions.csv (`file,caption`) in the folder, else from the
// words of the path.
Result<Built> build_dataset(const Recipe& recipe);

Status write_dataset(const std::filesystem::path& dir, const Recipe& recipe, const Built& built);
Result<Dataset> read_dataset(const std::filesystem::path& dir);  // checks the hashes

// Random characters from paper-doll layers, in drawing order.
Result<std::vector<Sample>> compose_characters(const Recipe& recipe);

// Tiles in rows of `columns`, on a checkerboard where they are transparent, each `scale` times its size.
pixel::Picture contact_sheet(const std::vector<pixel::Picture>& tiles, int columns, int scale = 2);

// Words of a file name: "red_dragon2" → red dragon; through the recipe's table.
std::vector<std::string> path_words(std::string_view stem, const Recipe& recipe);
bool excluded(const Recipe& recipe, std::string_view source);
std::string pixel_hash(const pixel::Picture& picture);

}  // namespace sparky::studio
