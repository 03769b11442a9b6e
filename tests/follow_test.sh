#!/bin/sh
# Who follows a run that another Sparky carries out sees its end, though that Sparky ends with it: run, logs -f.
#   follow_test.sh SPARKY
set -eu
sparky=$1
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
cd "$project"
cat > plan.toml <<'PLAN'
[plan]
name = "follow"
[[orchestrator]]
id = "o"
[[workstream]]
id = "A"
name = "waits for a word"
orchestrator = "o"
run = "echo FIRST; until test -e go; do sleep 0.05; done; echo LAST"
accept = "exit-status"
PLAN
"$sparky" run --plain 2> host.log > host.out & host=$!
until grep -q "A has started" host.log; do sleep 0.05; done
"$sparky" run --plain 2> guest.log > guest.out & guest=$!
"$sparky" logs A -f > log.out 2> log.err & reader=$!
until grep -q FIRST log.out; do sleep 0.05; done
touch go
code=0
for process in host guest reader; do
  eval "wait \$$process" || { echo "$process ended with $?" >&2; code=1; }
done
grep -q "run 1 is completed" host.log || { echo "the host does not tell the end" >&2; code=1; }
grep -q "completed" guest.out || { echo "the guest does not know the end" >&2; code=1; }
grep -q LAST log.out || { echo "the last words are missing from logs -f" >&2; code=1; }
[ $code = 0 ] || tail -n 20 host.log guest.log guest.out log.out log.err >&2
exit $code
