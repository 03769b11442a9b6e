#!/bin/sh
# Runs each fuzzer of build/fuzz for some seconds, starting from its corpus in the source tree. A finding is kept in
# build/fuzz/found, and ends the script with 1 after the others have had their turn.
set -u
cd "$(dirname "$0")/.."
seconds=${1:-60}
mkdir -p build/fuzz/found
bad=0
for program in build/fuzz/fuzzers/*; do
  name=$(basename "$program")
  corpus=$(find src -type d -name "$name.corpus")
  mkdir -p "build/fuzz/corpus/$name"
  echo "$name: $seconds s"
  "$program" -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 \
    -artifact_prefix="build/fuzz/found/$name-" "build/fuzz/corpus/$name" $corpus >"build/fuzz/$name.log" 2>&1 || {
    bad=1
    echo "$name: FOUND something, see build/fuzz/$name.log"
  }
done
exit "$bad"
