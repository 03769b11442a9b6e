// Pictures drawn as text, for tests: ' ' is transparent, 'k' black, 'w' white, 'r' red, 'g' green, 'b' blue.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "pixel/picture.h"

namespace sparky::pixel {

inline Picture drawn(const std::vector<std::string>& rows, std::map<char, Rgba> extra = {}) {
  extra.insert({{' ', {}},
                {'k', {0, 0, 0, 255}},
                {'w', {255, 255, 255, 255}},
                {'r', {255, 0, 0, 255}},
                {'g', {0, 255, 0, 255}},
                {'b', {0, 0, 255, 255}}});
  Picture p(int(rows.front().size()), int(rows.size()));
  for (int y = 0; y < p.height; ++y)
    for (int x = 0; x < p.width; ++x) p.at(x, y) = extra.at(rows[size_t(y)][size_t(x)]);
  return p;
}

// The inverse, for messages: each colour a letter in order of appearance.
inline std::string text(const Picture& p) {
  std::map<Rgba, char> letters{{{}, ' '}, {{0, 0, 0, 255}, 'k'}, {{255, 255, 255, 255}, 'w'}};
  std::string out;
  for (int y = 0; y < p.height; ++y, out += '\n')
    for (int x = 0; x < p.width; ++x) out += letters.try_emplace(p.at(x, y), char('A' + letters.size())).first->second;
  return out;
}

}  // namespace sparky::pixel
