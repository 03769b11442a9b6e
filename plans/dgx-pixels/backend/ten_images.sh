#!/bin/sh
# Ten pictures from ten prompts, end to end, and what must be true of them.
#   (no argument)   draw them into outputs/ten_images/
#   --sprites       ten files, each true pixel art
#   --stories       each file says the prompt it was made from
#   --repeat        the first one's own story makes the same bytes again
set -eu
cd "$(dirname "$0")/.."
out=outputs/ten_images
prompts=backend/ten_prompts.txt

case "${1:-}" in
'')
  mkdir -p "$out"
  n=0
  while IFS= read -r prompt; do
    echo "::progress 0.$n $prompt"
    sparky generate "$prompt" --seed 1 -o "$out/sprite_0$n.png" --force
    n=$((n + 1))
  done <"$prompts"
  ;;
--sprites)
  test "$(find "$out" -name 'sprite_0*.png' | wc -l)" -eq 10
  sparky validate "$out"/sprite_0*.png --profile backend/sprite.toml
  ;;
--stories)
  for file in "$out"/sprite_0*.png; do sparky --json image info "$file" | jq -r .sparky.request.prompt; done | cmp - "$prompts"
  ;;
--repeat)
  again=$(mktemp -d)
  trap 'rm -r "$again"' EXIT
  sparky generate --from "$out/sprite_00.png" -o "$again/sprite.png"
  cmp "$out/sprite_00.png" "$again/sprite.png"
  ;;
*)
  echo "usage: $0 [--sprites|--stories|--repeat]" >&2
  exit 2
  ;;
esac
