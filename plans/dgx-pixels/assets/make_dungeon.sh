#!/bin/sh
# From words to a game: draws each sprite of dungeon.tsv, snaps it to its grid, cleans and validates it, packs the sheet,
# and deploys all of it into examples/dungeon.
#   (no argument)   do it; pictures that are drawn already stay
#   --fresh         draw them all anew
#   --docs          print docs/deployment.md
# $SPARKY_MODELS holds the model, if it is not installed with Sparky.
set -eu
cd "$(dirname "$0")/.."
game=examples/dungeon
work=assets/generated
tab="$(printf '\t')"

document() {
  cat <<'END'
# Deployment

Sprites are drawn, snapped, cleaned, validated, packed and deployed by `sh assets/make_dungeon.sh`.

- Names: `category_name[_variant][_frame].png`, in `assets/sprites/` of the game.
- Manifest: `assets/sprites_manifest.json`, written last; it lists exactly what lies there.
- Backups: `assets/.backup/YYYYmmdd_HHMMSS/` holds what a deployment replaced; `sparky deploy --rollback --to GAME` undoes it.

| sprite | from the words | size | SHA-256 |
| --- | --- | --- | --- |
END
  jq -r '.sprites[] | "| \(.name) | \(.prompt) | \(.resolution[0])×\(.resolution[1]) | \(.sha256[0][:16])… |"' \
    "$game/assets/sprites_manifest.json"
}

draw() {
  mkdir -p "$work/renders"
  total=$(grep -c . assets/dungeon.tsv)
  done=0
  while IFS="$tab" read -r name prompt seed; do
    done=$((done + 1))
    picture="$work/renders/$name.png"
    [ -s "$picture" ] || sparky generate "$prompt" --seed "$seed" --size 256 --steps 20 -o "$picture" < /dev/null
    fraction=$(awk "BEGIN { print 0.9 * $done / $total }")
    echo "::progress $fraction drawn $name"
  done < assets/dungeon.tsv
}

case "${1:-}" in
'' | --fresh) ;;
--docs)
  document
  exit
  ;;
*)
  echo "usage: $0 [--fresh|--docs]" >&2
  exit 2
  ;;
esac
if [ "${1:-}" = --fresh ]; then rm -rf "$work"; fi
draw
rm -rf "$work/snapped" "$work/sprites"
sparky pixel snap "$work"/renders/*.png --size 32x32 -o "$work/snapped/"
sparky pixel alpha "$work"/snapped/*.png -o "$work/sprites/"
sparky validate "$work"/sprites/*.png --profile assets/dungeon.toml
sparky deploy "$work/sprites" --to "$game" --profile assets/dungeon.toml --preset minimal
sparky sheet pack "$game"/assets/sprites/*.png -o "$game/assets/sheets/dungeon.png" --layout grid --columns 4
document > docs/deployment.md
