// Blend: a source pixel over a backdrop, in Aseprite's blend modes (whose numbers these are).
// Formulas: W3C Compositing and Blending Level 1, https://www.w3.org/TR/compositing-1/
#pragma once
#include "pixel/picture.h"

namespace sparky::pixel {

enum class Blend {
  normal,
  multiply,
  screen,
  overlay,
  darken,
  lighten,
  color_dodge,
  color_burn,
  hard_light,
  soft_light,
  difference,
  exclusion,
  hue,
  saturation,
  color,
  luminosity,
  addition,
  subtract,
  divide,
};
constexpr int kBlendModes = 19;

// opacity: 0 to 255, multiplied into the source's alpha.
Rgba blend(Rgba backdrop, Rgba source, int opacity, Blend mode);

}  // namespace sparky::pixel
