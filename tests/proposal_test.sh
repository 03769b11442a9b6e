#!/bin/sh
# An orchestrator's agent proposes to split a workstream that has used up its tries: a person says yes, and the run has a
# workstream more. Then it proposes another estimate, for which it has autonomy: nobody is asked.
#   proposal_test.sh SPARKY
set -eu
sparky=$1
project=$(mktemp -d)
trap 'rm -rf "$project"' EXIT
cd "$project"
export HOME="$project" GIT_AUTHOR_NAME=T GIT_AUTHOR_EMAIL=t@localhost GIT_COMMITTER_NAME=T GIT_COMMITTER_EMAIL=t@localhost
cat > coder.sh <<'CODER'
cat > prompt
case $SPARKY_WORKSTREAM in
  A) grep -q 'only the first half' prompt && echo a > a.txt;;
  B) echo b > b.txt;;
  C) grep -q 'take your time' prompt && echo c > c.txt;;
esac
rm prompt
git add -A && git commit -q --allow-empty -m "$SPARKY_WORKSTREAM" && echo done
CODER
cat > lead.sh <<'LEAD'
case $SPARKY_WORKSTREAM in
  A) printf '%s\n' '{"kind": "split", "why": "it is too much", "advice": "do only the first half",
            "change": "[[workstream]]\nid = \"B\"\nname = \"Second half\"\ncriteria = [{ text = \"b\", check = \"test -f b.txt\" }]"}';;
  C) printf '%s\n' '{"kind": "estimate", "why": "it takes longer", "advice": "take your time",
            "change": "[[workstream]]\nid = \"C\"\nduration = \"8-9 days\""}';;
esac
LEAD
cat > plan.toml <<PLAN
[plan]
name = "proposals"
[agents.coder]
command = ["sh", "$project/coder.sh"]
sandbox = "off"
limits = { retries = 0 }
[agents.lead]
command = ["sh", "$project/lead.sh"]
sandbox = "off"
autonomy = ["estimate"]
[[orchestrator]]
id = "o"
phase = "parallel"
agent = "lead"
[[workstream]]
id = "A"
name = "First half"
orchestrator = "o"
agent = "coder"
criteria = [{ text = "a", check = "test -f a.txt" }]
[[workstream]]
id = "C"
name = "Third"
orchestrator = "o"
agent = "coder"
duration = "1 day"
criteria = [{ text = "c", check = "test -f c.txt" }]
PLAN
printf '.sparky/\n*.log\n' > .gitignore
git init -q -b main && git add . && git commit -q -m Start
fail() { echo "$1" >&2; tail -n 40 first.log second.log answer.log >&2; exit 1; }
"$sparky" run --plain > first.log 2>&1 && fail "it is complete though nobody has answered"
grep -q "lead proposes for A: split" first.log || fail "nobody was asked about the split"
grep -q "approve by lead: it may do that by itself" first.log || fail "the estimate was not carried out by autonomy"
grep -q "C is completed" first.log || fail "C did not go on with its estimate"
"$sparky" decide A approve > answer.log 2>&1 || fail "the split is refused"
grep -q "added: B" answer.log || fail "nothing was added"
"$sparky" run --plain > second.log 2>&1 || fail "the run does not come to its end"
git log --format=%s sparky/main > merged.log
for id in A B C; do grep -q "^$id\$" merged.log || fail "$id is not merged"; done
"$sparky" status --json > status.log
grep -q '"B"' status.log || fail "B is not in the run any more"
