#include "studio/vocabulary.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/text.h"

namespace sparky::studio {
namespace {

constexpr std::array<std::string_view, 9> kSilent = {"a", "an", "the", "of", "on", "his", "her", "its", "some"};
constexpr std::array<std::string_view, 14> kJoins = {"with",     "and",    "in",    "wearing",  "holding",
                                                     "has",      "having", "plus",  "wielding", "who",
                                                     "carrying", "wears",  "holds", "that"};
constexpr std::array<std::string_view, 30> kStyle = {
    "pixel",  "pixelart", "pixels", "art",     "8",     "16",          "32",         "bit",      "8bit", "16bit",
    "sprite", "sprites",  "tile",   "tiles",   "game",  "asset",       "retro",      "snes",     "nes",  "rpg",
    "style",  "picture",  "image",  "drawing", "32x32", "transparent", "background", "isolated", "high", "quality"};

// What people who make games say, and what those who made the training pictures called it. Read from left to right only
// where a vocabulary lacks the left and has every word on the right.
constexpr std::pair<std::string_view, std::string_view> kSynonyms[] = {
    {"armor", "armour"},
    {"armored", "armour"},
    {"banshee", "ghost"},
    {"barbarian", "berserker"},
    {"bearded", "beard"},
    {"beholder", "eye"},
    {"blob", "jelly"},
    {"boulder", "rock"},
    {"boy", "male"},
    {"burning", "flaming"},
    {"cape", "cloak"},
    {"cavern", "cave"},
    {"chainmail", "mail"},
    {"chieftain", "warrior"},
    {"cleric", "priest"},
    {"cobra", "snake"},
    {"coin", "gold"},
    {"coins", "gold"},
    {"crow", "raven"},
    {"doorway", "door"},
    {"elixir", "potion"},
    {"explosion", "blast"},
    {"fairy", "faerie"},
    {"fiery", "fire"},
    {"flask", "potion"},
    {"fog", "smoke"},
    {"girl", "female"},
    {"griffin", "griffon"},
    {"grimoire", "book"},
    {"ground", "floor"},
    {"gryphon", "griffon"},
    {"helm", "helmet"},
    {"hooded", "hood"},
    {"huge", "giant"},
    {"icy", "ice"},
    {"jewel", "gem"},
    {"ladder", "stairs"},
    {"lake", "water"},
    {"lawn", "grass"},
    {"little", "small"},
    {"lizardman", "lizard"},
    {"locked", "closed"},
    {"man", "male"},
    {"meadow", "grass"},
    {"mist", "smoke"},
    {"mossy", "moss"},
    {"necklace", "amulet"},
    {"pendant", "amulet"},
    {"ranger", "hunter"},
    {"river", "water"},
    {"robed", "robe"},
    {"rocky", "rock"},
    {"rogue", "thief"},
    {"saber", "scimitar"},
    {"sabre", "scimitar"},
    {"shiny", "shining"},
    {"snowy", "ice"},
    {"soil", "dirt"},
    {"sorceress", "sorcerer"},
    {"staircase", "stairs"},
    {"stony", "stone"},
    {"thunder", "lightning"},
    {"tiny", "small"},
    {"tome", "book"},
    {"treasure", "gold"},
    {"trousers", "pants"},
    {"tunic", "shirt"},
    {"vial", "potion"},
    {"villager", "human"},
    {"werewolf", "wolf"},
    {"witch", "wizard"},
    {"woman", "female"},
    {"wooden", "wood"},
};

bool in(std::string_view word, auto& list) { return std::ranges::find(list, word) != std::end(list); }
bool is_word_char(unsigned char c) { return std::isalnum(c) || c >= 0x80; }

uint32_t fnv1a(std::string_view text) {
  uint32_t h = 2166136261u;
  for (unsigned char c : text) h = (h ^ c) * 16777619u;
  return h;
}

}  // namespace

bool is_style_word(std::string_view word) { return in(word, kStyle); }

std::vector<std::string> prompt_words(std::string_view prompt) {
  std::vector<std::string> out;
  auto separate = [&] {
    if (!out.empty() && out.back() != ",") out.push_back(",");
  };
  std::string text = lower(prompt);
  for (size_t i = 0; i < text.size();) {
    if (!is_word_char(static_cast<unsigned char>(text[i]))) {
      if (text[i] == ',' || text[i] == ';' || text[i] == '.' || text[i] == '\n') separate();
      ++i;
      continue;
    }
    size_t start = i;
    while (i < text.size() && (is_word_char(static_cast<unsigned char>(text[i])) || text[i] == '\'')) ++i;
    std::string word = text.substr(start, i - start);
    if (word.ends_with("'s")) word.resize(word.size() - 2);
    if (word == "grey") word = "gray";
    if (in(word, kSilent) || is_style_word(word)) continue;
    if (in(word, kJoins)) {
      separate();
    } else {
      out.push_back(word);
    }
  }
  while (!out.empty() && out.back() == ",") out.pop_back();
  return out;
}

int Vocabulary::add(const std::string& word) {
  auto [it, fresh] = index_.try_emplace(word, size());
  if (fresh) words_.push_back(word);
  return it->second;
}

std::vector<std::string> Vocabulary::near(std::string_view word, size_t limit) const {
  std::vector<std::pair<size_t, std::string>> found;
  for (const auto& w : words_) {
    size_t d = edit_distance(word, w);
    if (d <= std::max<size_t>(1, word.size() / 3)) found.emplace_back(d, w);
  }
  std::ranges::sort(found);
  std::vector<std::string> out;
  for (auto& [d, w] : found) {
    if (out.size() < limit) out.push_back(w);
  }
  return out;
}

Token Vocabulary::token(std::string_view word) const {
  Token t;
  auto it = index_.find(std::string(word));
  t.word = it == index_.end() ? 1 : it->second;
  std::string marked = "<" + std::string(word) + ">";
  for (size_t n : {3u, 4u}) {
    for (size_t i = 0; i + n <= marked.size(); ++i) {
      t.n_grams.push_back(int(fnv1a(std::string_view(marked).substr(i, n)) % uint32_t(n_gram_buckets)));
    }
  }
  return t;
}

Prompt Vocabulary::encode(std::string_view prompt) const { return encode(prompt_words(prompt)); }

std::string Vocabulary::known_form(const std::string& word) const {
  if (knows(word)) return word;
  auto synonym =
      std::ranges::find(kSynonyms, std::string_view(word), &std::pair<std::string_view, std::string_view>::first);
  if (synonym != std::end(kSynonyms) && knows(synonym->second)) return std::string(synonym->second);
  if (word.size() > 3 && word.ends_with('s') && knows(word.substr(0, word.size() - 1))) {
    return word.substr(0, word.size() - 1);
  }
  return word;
}

Prompt Vocabulary::encode(const std::vector<std::string>& words) const {
  Prompt out;
  for (const auto& word : words) {
    auto form = known_form(word);
    if (form != word) out.read_as.emplace(word, form);
    if (!knows(form) && word != "," && !in(word, out.unknown)) out.unknown.push_back(word);
    if (out.tokens.size() < size_t(max_tokens)) {
      out.tokens.push_back(token(form));
    } else {
      ++out.dropped;
    }
  }
  return out;
}

std::string Vocabulary::json() const {
  return json_text(Json{{"format", "sparky-vocabulary-1"},
                        {"n_gram_buckets", n_gram_buckets},
                        {"n_gram_lengths", {3, 4}},
                        {"max_tokens", max_tokens},
                        {"words", words_}},
                   0);
}

Result<Vocabulary> Vocabulary::parse(std::string_view text) {
  SPARKY_ASSIGN(Json j, parse_json(text));
  auto bad = [](std::string what) { return fail(Errc::invalid, "vocabulary: " + what); };
  if (!j.is_object() || j.value("format", Json()) != "sparky-vocabulary-1") {
    return bad("field 'format' must be \"sparky-vocabulary-1\"");
  }
  Vocabulary v;
  for (auto [name, field, low, high] : {std::tuple{"n_gram_buckets", &v.n_gram_buckets, 1, 1 << 20},
                                        std::tuple{"max_tokens", &v.max_tokens, 1, 1024}}) {
    const auto it = j.find(name);
    if (it == j.end() || !it->is_number_integer() || *it < low || *it > high) {
      return bad(fmt::format("field '{}' must be a whole number from {} to {}", name, low, high));
    }
    *field = it->get<int>();
  }
  const auto words = j.find("words");
  if (words == j.end() || !words->is_array()) return bad("field 'words' must be a list of strings");
  for (const auto& w : *words) {
    if (!w.is_string()) return bad("field 'words' must be a list of strings");
    if (v.knows(w.get<std::string>())) return bad(fmt::format("word '{}' is there twice", w.get<std::string>()));
    v.add(w.get<std::string>());
  }
  return v;
}

}  // namespace sparky::studio
