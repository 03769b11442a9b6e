// The palettes that come with Sparky: hardware of old, and ones whose authors gave them away.
#include <algorithm>
#include <string_view>

#include "pixel/color.h"
#include "pixel/palette.h"

namespace sparky::pixel {
namespace {

struct Source {
  const char *name, *author;
  std::string_view colors;  // hexadecimal, in the author's order
};

constexpr Source kSources[] = {
    {"1bit", "", "000000 ffffff"},
    {"gameboy", "Nintendo", "0f380f 306230 8bac0f 9bbc0f"},
    {"cga", "IBM",
     "000000 0000aa 00aa00 00aaaa aa0000 aa00aa aa5500 aaaaaa 555555 5555ff 55ff55 55ffff ff5555 "
     "ff55ff ffff55 ffffff"},
    {"zx-spectrum", "Sinclair",
     "000000 0000d7 d70000 d700d7 00d700 00d7d7 d7d700 d7d7d7 0000ff ff0000 ff00ff 00ff00 00ffff "
     "ffff00 ffffff"},
    {"c64", "Commodore, measured by Pepto",
     "000000 ffffff 68372b 70a4b2 6f3d86 588d43 352879 b8c76f 6f4f25 433900 9a6759 444444 6c6c6c "
     "9ad284 6c5eb5 959595"},
    {"pico-8", "Lexaloffle",
     "000000 1d2b53 7e2553 008751 ab5236 5f574f c2c3c7 fff1e8 ff004d ffa300 ffec27 00e436 29adff "
     "83769c ff77a8 ffccaa"},
    {"sweetie-16", "GrafxKid",
     "1a1c2c 5d275d b13e53 ef7d57 ffcd75 a7f070 38b764 257179 29366f 3b5dc9 41a6f6 73eff7 f4f4f4 "
     "94b0c2 566c86 333c57"},
    {"db16", "DawnBringer",
     "140c1c 442434 30346d 4e4a4e 854c30 346524 d04648 757161 597dce d27d2c 8595a1 6daa2c d2aa99 "
     "6dc2ca dad45e deeed6"},
    {"db32", "DawnBringer",
     "000000 222034 45283c 663931 8f563b df7126 d9a066 eec39a fbf236 99e550 6abe30 37946e 4b692f "
     "524b24 323c39 3f3f74 306082 5b6ee1 639bff 5fcde4 cbdbfc ffffff 9badb7 847e87 696a6a 595652 "
     "76428a ac3232 d95763 d77bba 8f974a 8a6f30"},
    {"endesga-32", "Endesga",
     "be4a2f d77643 ead4aa e4a672 b86f50 733e39 3e2731 a22633 e43b44 f77622 feae34 fee761 63c74d "
     "3e8948 265c42 193c3e 124e89 0099db 2ce8f5 ffffff c0cbdc 8b9bb4 5a6988 3a4466 262b44 181425 "
     "ff0044 68386c b55088 f6757a e8b796 c28569"},
    {"resurrect-64", "Kerrie Lake",
     "2e222f 3e3546 625565 966c6c ab947a 694f62 7f708a 9babb2 c7dcd0 ffffff 6e2727 b33831 ea4f36 "
     "f57d4a ae2334 e83b3b fb6b1d f79617 f9c22b 7a3045 9e4539 cd683d e6904e fbb954 4c3e24 676633 "
     "a2a947 d5e04b fbff86 165a4c 239063 1ebc73 91db69 cddf6c 313638 374e4a 547e64 92a984 b2ba90 "
     "0b5e65 0b8a8f 0eaf9b 30e1b9 8ff8e2 323353 484a77 4d65b4 4d9be6 8fd3ff 45293f 6b3e75 905ea9 "
     "a884f3 eaaded 753c54 a24b6f cf657f ed8099 831c5d c32454 f04f78 f68181 fca790 fdcbb0"},
};

}  // namespace

const std::vector<Palette>& builtin_palettes() {
  static const auto palettes = [] {
    std::vector<Palette> out;
    for (auto& source : kSources) {
      Palette p{source.name, source.author, {}, {}};
      for (size_t at = 0; at < source.colors.size(); at += 7)
        p.colors.push_back(*parse_color(source.colors.substr(at, 6)));
      out.push_back(std::move(p));
    }
    return out;
  }();
  return palettes;
}

const Palette* find_builtin_palette(std::string_view name) {
  auto it = std::ranges::find(builtin_palettes(), name, &Palette::name);
  return it == builtin_palettes().end() ? nullptr : &*it;
}

}  // namespace sparky::pixel
