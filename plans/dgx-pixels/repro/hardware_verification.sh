#!/bin/sh
# Detects what this machine is made of, records it as the baseline, and writes the documents that follow from it.
#   (no argument)      detect, record, write docs/hardware.md and docs/topology.svg, verify
#   --print            detect, and print the JSON document
#   --verify           does the recorded baseline describe this machine?
#   --selftest-wrong   must fail: verifies a baseline that claims one CPU more than there is
set -eu
cd "$(dirname "$0")/.."
baseline=bench/baselines/hardware_baseline.json

case "${1:-}" in
'')
  sparky hardware -o "$baseline"
  sparky hardware --from "$baseline" --markdown docs/hardware.md --topology docs/topology.svg
  sparky hardware --verify "$baseline"
  ;;
--print) sparky hardware --json ;;
--verify) sparky hardware --verify "$baseline" ;;
--selftest-wrong) jq '.cpu.logical += 1' "$baseline" | sparky hardware --verify - ;;
*)
  echo "usage: $0 [--print|--verify|--selftest-wrong]" >&2
  exit 2
  ;;
esac
