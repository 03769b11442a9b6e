# config.nu: what the other modules stand on: colours and logging, paths, files, git, hardware, checks of the environment.
#
#   use scripts/nu/config.nu *

export const COLORS = {
    reset: "\u{1b}[0m", red: "\u{1b}[31m", green: "\u{1b}[32m", yellow: "\u{1b}[33m", blue: "\u{1b}[34m", dim: "\u{1b}[2m"
}

# === Logging (to stderr, so that a pipe gets data alone; plain with NO_COLOR) ===

def log-line [color: string, mark: string, text: string] {
    if ($env.NO_COLOR? | default "" | is-empty) {
        print --stderr $"($color)($mark)($COLORS.reset) ($text)"
    } else {
        print --stderr $"($mark) ($text)"
    }
}
export def log-success [text: string] { log-line $COLORS.green "✓" $text }
export def log-error [text: string] { log-line $COLORS.red "✗" $text }
export def log-warning [text: string] { log-line $COLORS.yellow "!" $text }
export def log-info [text: string] { log-line $COLORS.blue "·" $text }

# === Paths ===

# The root of the git checkout, or the working directory outside one.
export def project-root []: nothing -> string {
    let found = (do { ^git rev-parse --show-toplevel } | complete)
    if $found.exit_code == 0 { $found.stdout | str trim } else { $env.PWD }
}
export def docs-dir []: nothing -> string { project-root | path join "docs" }
export def models-dir []: nothing -> string {
    $env.SPARKY_MODELS? | default (project-root | path join "models")
}
export def outputs-dir []: nothing -> string { project-root | path join "outputs" }

# === Files ===

# Makes a directory with its parents, and gives its path.
export def ensure-dir [path: string]: nothing -> string {
    mkdir $path
    $path
}
# Size of a file or of all files below a directory.
export def size-of [path: string]: nothing -> filesize {
    if ($path | path type) == "dir" { du $path | get 0.apparent } else { ls $path | get 0.size }
}

# === Git ===

export def current-branch []: nothing -> string { ^git branch --show-current | str trim }
export def is-git-clean []: nothing -> bool { ^git status --porcelain | str trim | is-empty }
export def branch-exists [name: string]: nothing -> bool {
    (do { ^git show-ref --verify --quiet $"refs/heads/($name)" } | complete).exit_code == 0
}

# === Hardware (by `sparky hardware`, where it is built; else by nvidia-smi) ===

def hardware []: nothing -> record {
    let sparky = (project-root | path join "build" "release" "bin" "sparky")
    let program = if ($sparky | path exists) { $sparky } else { "sparky" }
    let told = (do { ^$program hardware --json } | complete)
    if $told.exit_code == 0 { $told.stdout | from json } else { {} }
}
export def has-nvidia-gpu []: nothing -> bool {
    if (which nvidia-smi | is-empty) { return false }
    (do { ^nvidia-smi -L } | complete).exit_code == 0
}
export def gpu-model []: nothing -> string {
    if not (has-nvidia-gpu) { return "none" }
    ^nvidia-smi --query-gpu=name --format=csv,noheader | lines | first | str trim
}
export def hardware-facts []: nothing -> record { hardware }

# === Environment ===

export def has-command [name: string]: nothing -> bool { which $name | is-not-empty }
# Fails, naming all that is missing at once.
export def require-commands [...names: string] {
    let missing = ($names | where {|name| not (has-command $name) })
    if ($missing | is-not-empty) {
        error make --unspanned { msg: $"missing: ($missing | str join ', '); install it and try again" }
    }
}
# A table of what a DGX box needs, and whether it is here.
export def check-dgx-prerequisites []: nothing -> table {
    [
        { what: "NVIDIA driver", ok: (has-nvidia-gpu), remedy: "install the NVIDIA driver" }
        { what: "docker", ok: (has-command "docker"), remedy: "install Docker 20.10 or newer" }
        { what: "NVIDIA Container Toolkit", ok: (has-command "nvidia-ctk"), remedy: "install nvidia-container-toolkit" }
        { what: "git", ok: (has-command "git"), remedy: "apt install git" }
        { what: "GitHub CLI", ok: (has-command "gh"), remedy: "apt install gh, then gh auth login" }
    ]
}
