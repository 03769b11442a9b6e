#!/bin/sh
# The generated reference (docs/cli.md, docs/config.md, docs/man/) is what the program says of itself.
#   docs_test.sh SPARKY DOCS
set -eu
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
"$1" docs "$made"
for part in cli.md config.md man; do
  diff -r "$2/$part" "$made/$part" || stale=yes
done
if [ "${stale:-no}" = yes ]; then
  echo "the reference is not current; ./dev docs writes it anew" >&2
  exit 1
fi
