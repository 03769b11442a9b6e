#!/bin/sh
# Makes the contact sheets of docs/pixel.md, with Sparky itself, from the tiles in src/studio/fixtures (CC0):
#   scripts/contact_sheets.sh        into docs/images
set -eu
cd "$(dirname "$0")/.."
PATH="$PWD/build/release/bin:$PATH"
out=docs/images
tiles=src/studio/fixtures
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
quiet() { "$@" 2> "$work/said" || { cat "$work/said" >&2; exit 1; }; }

# panel NAME PICTURE TIMES [SIDE]: a square panel, enlarged so often; panels are laid out in the order of their names.
panel() {
  quiet sparky pixel scale "$2" --up "$3" -o "$work/panel.png"
  quiet sparky pixel pad "$work/panel.png" --to "${4:-264}" --fill 2b2b33 -o "$work/panels/$1.png"
}
sheet() { # NAME COLUMNS
  quiet sparky sheet pack "$work"/panels/*.png --layout grid --columns "$2" --padding 8 -o "$work/sheet.png" --no-tags
  quiet sparky pixel quantize "$work/sheet.png" -n 255 --indexed -o "$out/$1.png"
  rm -rf "$work/panels"
  mkdir "$work/panels"
}
mkdir "$work/panels"

# Snap: above the damaged picture, below what comes of it.
build/release/bin/snap_bench make --sprites "$tiles" --half tuning --count 14 --seed 3 --only blur jpeg noise combined -o "$work/cases"
column=1
for kind in blur jpeg noise combined; do
  for file in "$work/cases/degraded/$kind"-*.png; do
    width=$(sparky pixel info "$file" --json | jq '[.pictures[0].width, .pictures[0].height] | max')
    name=$(basename "$file")
    true_width=$(sparky pixel info "$work/cases/truth/$name" --json | jq '[.pictures[0].width, .pictures[0].height] | max')
    if [ "$width" -gt 384 ] || [ "$width" -lt 130 ] || [ "$true_width" -gt 34 ]; then continue; fi
    quiet sparky pixel snap "$file" -o "$work/snapped.png"
    panel "1$column" "$file" 1 384
    panel "2$column" "$work/snapped.png" 11 384
    column=$((column + 1))
    break
  done
done
sheet pixel-snap $((column - 1))

# Palettes: as it is, 6 colours, PICO-8's, Game Boy's plain, with Bayer 4 and with Floyd–Steinberg dithering.
dragon=$tiles/mon/dragons/golden_dragon.png
remap() { # NAME WORDS…
  name=$1
  shift
  quiet sparky pixel remap "$dragon" "$@" -o "$work/one.png"
  panel "$name" "$work/one.png" 8
}
panel 1 "$dragon" 8
quiet sparky pixel quantize "$dragon" -n 6 -o "$work/one.png"
panel 2 "$work/one.png" 8
remap 3 --palette pico-8
remap 4 --palette gameboy
remap 5 --palette gameboy --dither bayer4
remap 6 --palette gameboy --dither floyd-steinberg
sheet pixel-palettes 6

# Clean: on a ground; the ground gone; an outline around; an outline of its own colours; turned by 30°; mirrored.
orc=$tiles/mon/orc_warrior.png
quiet sparky pixel pad "$orc" --to 34x34 -o "$work/orc.png"
ground=$(for file in "$work"/cases/truth/jpeg-*.png; do
  sparky pixel info "$file" --json | jq -r '.pictures[0] | select(.width < 34 and .height < 34) | .file'
done | head -1)
panel 1 "$ground" 7
quiet sparky pixel background "$ground" -o "$work/one.png"
panel 2 "$work/one.png" 7
quiet sparky pixel outline "$work/orc.png" --color ffffff -o "$work/one.png"
panel 3 "$work/one.png" 7
quiet sparky pixel outline "$work/orc.png" --inner --darken 0.6 -o "$work/one.png"
panel 4 "$work/one.png" 7
quiet sparky pixel rotate "$work/orc.png" --by 30 -o "$work/one.png"
panel 5 "$work/one.png" 7
quiet sparky pixel mirror "$work/orc.png" -o "$work/one.png"
panel 6 "$work/one.png" 7
sheet pixel-clean 6

# A sheet, as it is packed.
quiet sparky sheet pack "$tiles"/item/*/*.png "$tiles"/mon/*.png --layout maxrects --trim --padding 1 -o "$work/items.png"
quiet sparky pixel scale "$work/items.png" --up 4 -o "$work/big.png"
quiet sparky pixel quantize "$work/big.png" -n 255 -o "$out/pixel-sheet.png"
