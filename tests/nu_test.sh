#!/bin/sh
# The Nushell modules against a bare remote and a recorded `gh`: what a person does by hand, done for real in git.
# GitHub itself is not reached: `gh` here is a script that writes down how it was called.
set -eu
source=$(cd "$(dirname "$0")/.." && pwd)
PATH="$source/.dev/bin:$PATH"
command -v nu >/dev/null || { echo "no nu; ./dev installs it"; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export HOME="$work" NO_COLOR=1 GIT_CONFIG_GLOBAL="$work/gitconfig"
git config --global user.name Tester
git config --global user.email tester@example.org
git config --global init.defaultBranch main
mkdir "$work/bin"
cat >"$work/bin/gh" <<'GH'
#!/bin/sh
echo "$@" >>"$GH_LOG"
case "$1 $2" in
  "pr list") echo '[{"number":7,"title":"t","headRefName":"b","author":{"login":"a"},"isDraft":false}]' ;;
  "pr checks") echo '[{"name":"ci","state":"SUCCESS","link":"l"}]' ;;
esac
GH
chmod +x "$work/bin/gh"
export GH_LOG="$work/gh.log"
PATH="$work/bin:$PATH"
git init -q --bare "$work/remote.git"
git clone -q "$work/remote.git" "$work/a b" 2>/dev/null
cd "$work/a b"
echo one >file
git add file
git commit -qm one
git push -q origin main

call() { nu --no-config-file -c "use '$source/scripts/nu/modules/github.nu' *; $1"; }
is() { [ "$2" = "$3" ] || { echo "FAIL $1: got '$2', wanted '$3'"; exit 1; }; echo "ok   $1"; }

is "create a branch" "$(call 'gh-create-branch "ws/WS-05-x"' 2>/dev/null)" true
is "it is checked out" "$(git branch --show-current)" ws/WS-05-x
is "an existing branch is refused" "$(call 'gh-create-branch "ws/WS-05-x"' 2>/dev/null)" false
echo two >two
git add two
git commit -qm two
is "open a pull request" "$(call 'gh-create-pr "Implement it" --labels [a b] --draft' 2>/dev/null)" true
is "the branch is pushed" "$(git ls-remote --heads origin ws/WS-05-x | wc -l | tr -d ' ')" 1
is "gh was asked" "$(grep -c 'pr create --title Implement it --body  --base main --label a --label b --draft' "$GH_LOG")" 1

git clone -q "$work/remote.git" "$work/other"
(cd "$work/other" && git switch -q main && echo three >three && git add three && git commit -qm three && git push -q origin main)
is "rebase onto the newest main" "$(call 'gh-rebase-main --push' 2>/dev/null)" true
is "main's file is here" "$(cat three)" three
(cd "$work/other" && echo theirs >two && git add two && git commit -qm theirs && git push -q origin main)
before=$(git rev-parse HEAD)
is "a conflict is refused" "$(call 'gh-rebase-main' 2>/dev/null)" false
is "and the branch is as it was" "$(git rev-parse HEAD)" "$before"
echo dirty >>file
is "uncommitted work is not touched" "$(call 'gh-rebase-main' 2>/dev/null)" false
is "it is still there" "$(tail -n 1 file)" dirty
is "auto-merge" "$(call 'gh-auto-merge --merge-method squash' 2>/dev/null)" true
is "an unknown method is refused" "$(call 'gh-auto-merge --merge-method force' 2>/dev/null)" false
is "list" "$(call 'gh-list-prs | get 0.number')" 7
is "checks" "$(call 'gh-check-status | get 0.state')" SUCCESS
is "reviewers" "$(call 'gh-request-review ada bob' 2>/dev/null)" true
is "gh was asked for both" "$(grep -c 'pr edit --add-reviewer ada,bob' "$GH_LOG")" 1
