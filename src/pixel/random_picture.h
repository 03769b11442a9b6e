// Generators for the property tests of this folder.
#pragma once
#include <rapidcheck.h>

#include "pixel/picture.h"

namespace sparky::pixel {

inline rc::Gen<Rgba> random_color() {
  return rc::gen::construct<Rgba>(rc::gen::arbitrary<uint8_t>(), rc::gen::arbitrary<uint8_t>(),
                                  rc::gen::arbitrary<uint8_t>(), rc::gen::element<uint8_t>(0, 1, 128, 255, 255, 255));
}

inline rc::Gen<IndexedPicture> random_indexed(int max_side, int max_colors = 256) {
  return rc::gen::exec([=] {
    IndexedPicture p;
    p.width = *rc::gen::inRange(1, max_side + 1);
    p.height = *rc::gen::inRange(1, max_side + 1);
    size_t colors = size_t(*rc::gen::element(1, 2, 3, 4, 5, 16, 17, max_colors));
    p.palette = *rc::gen::container<std::vector<Rgba>>(std::min(colors, size_t(max_colors)), random_color());
    p.indices = *rc::gen::container<std::vector<uint8_t>>(size_t(p.width) * size_t(p.height),
                                                          rc::gen::inRange<int>(0, int(p.palette.size())));
    return p;
  });
}

// Few colours, so that neighbours are often equal, with all kinds of alpha.
inline rc::Gen<Picture> random_picture(int max_side, int max_colors = 6) {
  return rc::gen::map(random_indexed(max_side, max_colors), [](const IndexedPicture& indexed) {
    Picture p(indexed.width, indexed.height);
    for (size_t i = 0; i < p.pixels.size(); ++i) p.pixels[i] = indexed.palette[indexed.indices[i]];
    return p;
  });
}

// `for_gif`: binary alpha with {} as the one transparent colour, and durations in 10 ms.
inline rc::Gen<Animation> random_animation(int max_side, bool for_gif) {
  return rc::gen::exec([=] {
    Animation a;
    IndexedPicture first = *random_indexed(max_side, 200);
    if (for_gif)
      for (Rgba& c : first.palette) c = c.a < 128 ? Rgba{} : Rgba{c.r, c.g, c.b, 255};
    a.width = first.width, a.height = first.height;
    a.loops = *rc::gen::inRange(0, 4);
    int frames = *rc::gen::inRange(1, 6);
    for (int i = 0; i < frames; ++i) {
      Frame f{Picture(a.width, a.height), *rc::gen::inRange(0, 300) * (for_gif ? 10 : 1)};
      auto indices = *rc::gen::container<std::vector<uint8_t>>(first.indices.size(),
                                                               rc::gen::inRange<int>(0, int(first.palette.size())));
      bool same = *rc::gen::arbitrary<bool>();
      for (size_t k = 0; k < indices.size(); ++k)
        f.picture.pixels[k] = first.palette[same ? first.indices[k] : indices[k]];
      a.frames.push_back(std::move(f));
    }
    return a;
  });
}

}  // namespace sparky::pixel
