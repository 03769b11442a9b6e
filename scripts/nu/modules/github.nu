# github.nu: branches and pull requests, by git and the GitHub CLI (gh).
#
#   use scripts/nu/modules/github.nu *
#
# Each function says what it did and gives true, or says why not and gives false; a script can test it. Nothing is
# ever stashed, deleted or force-pushed without a lease.

use ../config.nu *

# Runs a program; its output on success, or an error with what it said.
def --wrapped must [program: string, ...arguments: string]: nothing -> string {
    let done = (do { ^$program ...$arguments } | complete)
    if $done.exit_code != 0 { error make --unspanned { msg: ($done.stderr | str trim) } }
    $done.stdout | str trim
}

def attempt [what: string, action: closure]: nothing -> bool {
    try {
        do $action
        log-success $what
        true
    } catch {|err|
        log-error $"($what): ($err.msg)"
        false
    }
}

# A branch from the newest base: `gh-create-branch "ws/WS-05-sdxl"`.
export def gh-create-branch [
    branch_name: string
    base_branch: string = "main"
]: nothing -> bool {
    if (branch-exists $branch_name) {
        log-error $"the branch ($branch_name) exists; `git switch ($branch_name)` takes it up"
        return false
    }
    attempt $"created ($branch_name) from ($base_branch)" {
        let fetched = (do { ^git fetch --quiet origin $base_branch } | complete)
        let start = if $fetched.exit_code == 0 { $"origin/($base_branch)" } else { $base_branch }
        must git switch --no-track --create $branch_name $start | ignore
    }
}

# Pushes the branch and opens a pull request for it.
export def gh-create-pr [
    title: string
    --body: string = ""
    --base: string = "main"
    --draft
    --labels: list<string> = []
]: nothing -> bool {
    let branch = (current-branch)
    if $branch == $base {
        log-error $"this is ($base) itself; `just branch NAME` makes a branch"
        return false
    }
    if not (is-git-clean) { log-warning "there are uncommitted changes; they are not part of the pull request" }
    attempt $"opened a pull request for ($branch)" {
        require-commands gh
        must git push --set-upstream origin $branch | ignore
        let flags = ($labels | each {|l| [--label $l] } | flatten | append (if $draft { [--draft] } else { [] }))
        log-info (must gh pr create --title $title --body $body --base $base ...$flags)
    }
}

# Merges by itself once all checks pass.
export def gh-auto-merge [
    --merge-method: string = "squash"  # squash, merge or rebase
]: nothing -> bool {
    if $merge_method not-in [squash merge rebase] {
        log-error $"'($merge_method)' is none of squash, merge, rebase"
        return false
    }
    attempt $"auto-merge \(($merge_method)\) is on" {
        require-commands gh
        must gh pr merge --auto $"--($merge_method)" | ignore
    }
}

# Brings the branch up to the newest main. A conflict leaves the branch as it was.
export def gh-rebase-main [
    base_branch: string = "main"
    --push  # with --force-with-lease: never over somebody else's work
]: nothing -> bool {
    if not (is-git-clean) {
        log-error "there are uncommitted changes; commit them first"
        return false
    }
    attempt $"rebased onto ($base_branch)" {
        must git fetch --quiet origin $base_branch | ignore
        let rebased = (do { ^git rebase $"origin/($base_branch)" } | complete)
        if $rebased.exit_code != 0 {
            let conflicts = (^git diff --name-only --diff-filter=U | str trim | str replace --all "\n" ", ")
            ^git rebase --abort
            error make --unspanned { msg: $"conflicts in ($conflicts); the branch is as it was" }
        }
        if $push { must git push --force-with-lease | ignore }
    }
}

# The checks of the branch's pull request: a table of name, state, link.
export def gh-check-status []: nothing -> table {
    require-commands gh
    must gh pr checks --json "name,state,link" | from json
}

# Open pull requests.
export def gh-list-prs [
    --state: string = "open"  # open, closed, merged or all
]: nothing -> table {
    require-commands gh
    must gh pr list --state $state --json "number,title,headRefName,author,isDraft" | from json
}

# Asks people to review the branch's pull request.
export def gh-request-review [...reviewers: string]: nothing -> bool {
    if ($reviewers | is-empty) {
        log-error "name at least one reviewer"
        return false
    }
    attempt $"asked ($reviewers | str join ', ') for a review" {
        require-commands gh
        must gh pr edit --add-reviewer ($reviewers | str join ",") | ignore
    }
}
