#!/bin/sh
# Sparky's main job, for real: the dgx-pixels plan up to Gate 1 on this machine. Killed at any moment and started again, it
# goes on where it was; once Gate 1 is open it only writes the report again (`rm -r .sparky` starts afresh).
set -u
cd "$(dirname "$0")/.."
sparky="build/release/bin/sparky"
"$sparky" run plans/dgx-pixels --until gate-1
code=$?
report=$("$sparky" report completion -o outputs/demo) || exit 1
sed -n '/^## What was not shown/,/^## Needs a person/p' "$report" | sed '$d'
echo "The report: $report"
exit "$code"
