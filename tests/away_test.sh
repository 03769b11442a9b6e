#!/bin/sh
# For the one who sleeps: the plan's notify command says what happened, and status documents say how it stood.
#   away_test.sh SPARKY
set -eu
sparky=$1
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
cd "$project"
cat > plan.toml <<'PLAN'
[plan]
name = "away"
notify = 'echo "$SPARKY_NOTIFY of $SPARKY_PLAN $SPARKY_RUN: $SPARKY_NOTIFY_TEXT" >> told; sync told'
[[orchestrator]]
id = "o"
[[workstream]]
id = "BAD"
name = "fails"
orchestrator = "o"
run = "until ls .sparky/status/*.json; do sleep 0.1; done; no-such-command"
accept = "exit-status"
[[workstream]]
id = "ASK"
name = "asks"
orchestrator = "o"
criteria = [{ text = "it looks good", manual = true }]
PLAN
code=0
SPARKY_RUN_SNAPSHOT_EVERY=1s "$sparky" run --plain > out 2> log || code=$?
[ $code = 1 ] || { echo "exit status $code, not 1" >&2; cat log >&2; exit 1; }
tries=0
until [ "$(wc -l < told 2>/dev/null || echo 0)" -ge 3 ] || [ $tries = 100 ]; do
  sleep 0.1
  tries=$((tries + 1))
done
told() { grep -qx "$1" told || { echo "not told: $1" >&2; cat told >&2; code=2; }; }
told 'decision of away 1: ASK needs decision D1: it looks good'
told 'escalation of away 1: BAD failed: exit status 127 (command not found) (1 try)'
told 'end of away 1: run 1 has stopped: something failed'
jq -e '.run == 1 and .orchestrators[0].order == ["BAD", "ASK"] and .orchestrators[0].workstreams.ASK.status ==
  "decision_needed"' "$(ls .sparky/status/*.json | head -n 1)" > /dev/null || { echo "no status document" >&2; code=2; }
[ $code = 1 ]
