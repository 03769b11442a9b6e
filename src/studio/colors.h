// Colour words: what a person would call the colours of a picture ("red", "dark blue", "golden"), measured in OKLab.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "pixel/color.h"
#include "pixel/picture.h"

namespace sparky::studio {

std::string color_word(const pixel::OkLab& c);  // one of color_words(), without "dark" or "light"
const std::vector<std::string>& color_words();
bool is_color_word(std::string_view word);  // also "gold", "silver", "dark", "light", "grey"

// The one or two colours that make the picture, strongest first, with "dark" or "light" where it is so:
// {"dark blue", "golden"}. Pixels with alpha < 128 do not count; black outlines count little.
std::vector<std::string> measured_colors(const pixel::Picture& picture);

// Every colour turned by `degrees` around the grey axis; lightness stays.
pixel::Picture turn_hue(const pixel::Picture& picture, double degrees);

}  // namespace sparky::studio
