// Captions of samples: whole for people, in random excerpts for training.
#include <algorithm>

#include "base/text.h"
#include "studio/colors.h"
#include "studio/dataset.h"
#include "studio/vocabulary.h"

namespace sparky::studio {
namespace {

void append(std::vector<std::string>& out, std::string_view words) {
  for (auto w : split(words, ' ')) {
    if (!w.empty()) out.emplace_back(w);
  }
}

void separate(std::vector<std::string>& out) {
  if (!out.empty() && out.back() != ",") out.emplace_back(",");
}

std::string without_colors(std::string_view words) {
  std::string out;
  for (auto w : split(words, ' ')) {
    if (w.empty() || is_color_word(w)) continue;
    if (!out.empty()) out += ' ';
    out += w;
  }
  return out;
}

// One slip of the fingers: two letters swapped, one lost, one doubled or one wrong.
void misspell(std::string& word, Random& random) {
  size_t at = 1 + random.below(word.size() - 2);
  switch (random.below(4)) {
    case 0:
      std::swap(word[at], word[at + 1]);
      break;
    case 1:
      word.erase(at, 1);
      break;
    case 2:
      word.insert(at, 1, word[at]);
      break;
    default:
      word[at] = char('a' + random.below(26));
  }
}

void add_character(std::vector<std::string>& out, const Sample& s, Random& random) {
  std::vector<Part> parts = s.parts;
  if (random.chance(0.4)) {
    for (size_t i = parts.size(); i > 1; --i) std::swap(parts[i - 1], parts[random.below(i)]);
  }
  double keep = random.chance(0.4) ? 1.0 : random.chance(0.5) ? 0.8 : 0.5;
  if (random.chance(0.15)) append(out, s.kind);
  for (const auto& p : parts) {
    if (!random.chance(keep)) continue;
    separate(out);
    append(out, random.chance(0.9) ? p.text() : p.name);
  }
}

void add_tile(std::vector<std::string>& out, const Sample& s, Random& random, const std::vector<std::string>& turned) {
  const auto& colors = turned.empty() ? s.colors : turned;
  std::string name = turned.empty() ? s.name : without_colors(s.name);
  if (random.chance(0.1) && !s.tags.empty()) name.clear();
  std::vector<std::string> tags = s.tags;
  bool named = !name.empty();
  if (!colors.empty() && random.chance(0.65)) append(out, colors[0]);
  if (colors.size() > 1 && random.chance(0.3)) append(out, colors[1]);
  if (named) append(out, name);
  if (!named && !tags.empty()) {
    append(out, tags.back());
    tags.pop_back();
  }
  for (const auto& tag : tags) {
    if (!random.chance(0.6)) continue;
    if (random.chance(0.5)) separate(out);
    append(out, tag);
  }
  if (random.chance(0.6)) {
    separate(out);
    append(out, s.kind);
  }
}

}  // namespace

std::string caption(const Sample& s) {
  if (!s.text.empty()) return s.text;
  std::vector<std::string> groups;
  if (!s.parts.empty()) {
    for (const auto& p : s.parts) groups.push_back(p.text());
  } else {
    std::string head;
    for (const auto& c : s.colors) head += c + " ";
    head += s.name;
    if (auto h = trim(head); !h.empty()) groups.emplace_back(h);
    groups.insert(groups.end(), s.tags.begin(), s.tags.end());
  }
  groups.push_back(s.kind);
  return join(groups, ", ");
}

std::vector<std::string> training_words(const Sample& s, Random& random, const std::vector<std::string>& turned) {
  std::vector<std::string> out;
  if (!s.text.empty()) {
    out = prompt_words(s.text);
  } else if (!s.parts.empty()) {
    add_character(out, s, random);
  } else {
    add_tile(out, s, random, turned);
  }
  while (!out.empty() && out.back() == ",") out.pop_back();
  for (auto& word : out) {
    if (word.size() >= 4 && random.chance(0.03)) misspell(word, random);
  }
  return out;
}

}  // namespace sparky::studio
