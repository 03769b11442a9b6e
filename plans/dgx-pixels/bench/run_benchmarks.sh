#!/bin/sh
# Measures what this machine can do.
#   (no argument)   measure, record the baseline, write docs/benchmarks.md, verify (some 15 s)
#   --quick         the same with fewer and smaller samples (some 5 s)
#   --print         measure quickly, and print the JSON document
set -eu
cd "$(dirname "$0")/.."
baseline=bench/baselines/benchmark_baseline.json

case "${1:-}" in
'' | --quick)
  sparky bench "$@" -o "$baseline"
  sparky bench --from "$baseline" --markdown docs/benchmarks.md
  sparky bench --verify "$baseline"
  ;;
--print) sparky bench --quick --json ;;
*)
  echo "usage: $0 [--quick|--print]" >&2
  exit 2
  ;;
esac
