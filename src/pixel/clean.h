// Clean: what a hand would do to a rough sprite: take the background away, harden the edges, remove stray pixels,
// smooth the outline, draw one.
#pragma once
#include <optional>

#include "pixel/picture.h"

namespace sparky::pixel {

struct BackgroundOptions {
  float tolerance = 0.06f;  // OKLab distance from the colour at the border where the flood came in
  bool holes = false;       // also what the sprite encloses, if it is of the same colours
};
// Makes transparent what a flood from the border reaches. Each border pixel floods with its own colour, so that a
// gradient is followed; colours that, with those like them, hold less than an eighth of the border are the sprite's.
Picture remove_background(const Picture& picture, BackgroundOptions options = {});

// Alpha 0 or 255: below the threshold a pixel becomes transparent black.
Picture binary_alpha(const Picture& picture, int threshold = 128);

struct OrphanOptions {
  int size = 1;            // groups (8 neighbours, one colour) of up to as many pixels
  float contrast = 0.12f;  // OKLab distance: a pixel that stands out more is meant, as an eye or a highlight is
};
// Stray pixels take the commonest colour around them: specks outside the sprite and pinholes in it always, others if
// they differ little from what is around.
Picture remove_orphans(const Picture& picture, OrphanOptions options = {});

// Lines one pixel wide lose the corner pixels of their steps, as drawing with "pixel perfect" would have left them.
// Corners between two straight arms of 3 pixels or more stay.
Picture remove_jaggies(const Picture& picture);

struct OutlineOptions {
  bool inner = false;         // on the sprite's own edge instead of around it
  bool diagonal = false;      // edges meet at corners too
  std::optional<Rgba> color;  // none: the colour beside it, darkened
  float darken = 0.5f;        // 0 to 1: how much
};
// An outer outline needs a transparent pixel of room on each side (see pad).
Picture outline(const Picture& picture, OutlineOptions options = {});

}  // namespace sparky::pixel
