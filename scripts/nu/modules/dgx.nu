# dgx.nu: the hardware of a DGX box (and of any other Linux machine, as far as it goes).
#
#   use scripts/nu/modules/dgx.nu *

use ../config.nu *

def sparky []: nothing -> string {
    let built = (project-root | path join "build" "release" "bin" "sparky")
    if ($built | path exists) { $built } else { "sparky" }
}

# Load, memory, temperature and power of each GPU; an empty table without one.
export def dgx-gpu-stats []: nothing -> table {
    if not (has-nvidia-gpu) {
        log-warning "no NVIDIA GPU on this machine"
        return []
    }
    ^nvidia-smi --query-gpu=index,name,utilization.gpu,memory.used,memory.total,temperature.gpu,power.draw --format=csv,noheader,nounits
    | lines
    | each {|line|
        let f = ($line | split row "," | str trim)
        { index: $f.0, name: $f.1, load_percent: $f.2, memory_used_mib: $f.3, memory_total_mib: $f.4,
          temperature_c: $f.5, power_w: $f.6 }
    }
}

# Captures the hardware into a file and checks the file against the machine.
export def dgx-validate-hardware [
    file: string = "bench/baselines/hardware_baseline.json"
    --require-gpu
]: nothing -> bool {
    let flags = if $require_gpu { [--require-gpu] } else { [] }
    let captured = (do { ^(sparky) hardware -o $file ...$flags } | complete)
    if $captured.exit_code != 0 {
        log-error ($captured.stderr | str trim)
        return false
    }
    let verified = (do { ^(sparky) hardware --verify $file } | complete)
    if $verified.exit_code == 0 { log-success $"($file) describes this machine"; true } else {
        log-error ($verified.stderr | str trim)
        false
    }
}

# Memory bandwidth, as `sparky bench` measures it.
export def dgx-benchmark-memory []: nothing -> record {
    ^(sparky) bench --quick --json | from json | get memory
}

# The machine's topology (sockets, NUMA nodes, caches, GPUs) as JSON in a file; gives its path.
export def dgx-export-topology [
    file: string = "outputs/topology.json"
]: nothing -> string {
    mkdir ($file | path dirname)
    ^(sparky) hardware --json | from json | save --force $file
    log-success $"topology in ($file)"
    $file
}
