#!/bin/sh
# Records the environment, and a result that anyone can reproduce bit for bit in it.
#   (no argument)      record repro/environment.json and repro/result.json, verify both
#   --verify           is this the recorded environment, and does it still give the recorded result?
#   --selftest-wrong   must fail: replays a record whose digest is not that of the result
set -eu
cd "$(dirname "$0")/.."

verify() {
  sparky env --verify repro/environment.json
  sparky env replay repro/result.json
}

case "${1:-}" in
'')
  sparky env -o repro/environment.json
  echo "::progress 0.4 recording a result"
  sparky env record -o repro/result.json --input repro/sample.sh -- sh repro/sample.sh
  echo "::progress 0.7 verifying"
  verify
  ;;
--verify) verify ;;
--selftest-wrong) jq '.outputs[0].sha256 = ("0" * 64)' repro/result.json | sparky env replay - ;;
*)
  echo "usage: $0 [--verify|--selftest-wrong]" >&2
  exit 2
  ;;
esac
