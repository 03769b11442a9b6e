#!/usr/bin/env python3
"""10,000 trivial commands: `sparky run`, with every completion durable, against ninja and make in the same run.

    bench/commands/run.py [--sparky build/release/bin/sparky] [--count 10000] [--jobs 2] [--rounds 3] [--json]

Prints seconds of wall clock and of processor time (children included) per round, and the ratio of the medians to
ninja's. Processor time is the steadier of the two on a machine that is busy with other things.
"""
import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def write_inputs(root, count):
    with open(root / "build.ninja", "w") as f:
        f.write("rule t\n  command = true\n")
        f.writelines(f"build o{i}: t\n" for i in range(count))
    with open(root / "Makefile", "w") as f:
        names = " ".join(f"o{i}" for i in range(count))
        # A shell for each, as with the others; make alone would run `true` without one.
        f.write(f".PHONY: all {names}\nall: {names}\n{names}:\n\t@true;\n")
    with open(root / "plan.toml", "w") as f:
        f.write('[plan]\nname = "commands"\n[[orchestrator]]\nid = "o"\n')
        f.writelines(f'[[workstream]]\nid = "w{i}"\nname = "w{i}"\norchestrator = "o"\nrun = "true"\n'
                     'accept = "exit-status"\n' for i in range(count))


def cpu_of_wardens(root):
    """Processor time of the project's warden and all that it reaped; it is not our child."""
    ticks = 0
    for entry in os.listdir("/proc"):
        try:
            arguments = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            if arguments[0].endswith(b"sparky-warden") and os.fsencode(root / ".sparky" / "warden") in arguments:
                ticks += sum(map(int, Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[11:15]))
        except (OSError, IndexError):
            continue
    return ticks / os.sysconf("SC_CLK_TCK")


def timed(command, root):
    for name in (".ninja_log", ".ninja_deps"):
        (root / name).unlink(missing_ok=True)
    shutil.rmtree(root / ".sparky", ignore_errors=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.monotonic()
    process = subprocess.Popen(command, cwd=root, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    warden = 0.0
    while process.poll() is None:  # the warden leaves as soon as Sparky has: what it used is looked up until then
        warden = max(warden, cpu_of_wardens(root))
        time.sleep(0.05)
    wall = time.monotonic() - begun
    if process.returncode != 0:
        sys.exit(f"{command[0]} failed with {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime + warden
    return {"wall_s": round(wall, 2), "cpu_s": round(cpu, 2)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sparky", default="build/release/bin/sparky")
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    a = parser.parse_args()
    jobs = str(a.jobs)
    root = Path(tempfile.mkdtemp(prefix="sparky-bench.")).resolve()
    write_inputs(root, a.count)
    commands = {"ninja": ["ninja", "-j", jobs], "make": ["make", "-j", jobs, "-s"],
                "sparky": [str(Path(a.sparky).resolve()), "--project", str(root), "run", "plan.toml", "--jobs", jobs]}
    results = {name: [] for name in commands}
    for number in range(a.rounds):
        for name, command in commands.items():
            results[name].append(timed(command, root))
            print(f"round {number + 1}: {name:7}{results[name][-1]['wall_s']:8.2f} s"
                  f"{results[name][-1]['cpu_s']:8.2f} s cpu", file=sys.stderr)
    shutil.rmtree(root)
    median = {n: {k: statistics.median(r[k] for r in rs) for k in ("wall_s", "cpu_s")} for n, rs in results.items()}
    ratio = {n: {k: round(m[k] / median["ninja"][k], 2) for k in m} for n, m in median.items()}
    if a.json:
        print(json.dumps({"count": a.count, "jobs": a.jobs, "rounds": results, "median": median, "to_ninja": ratio}))
    else:
        for n in commands:
            print(f"{n:7} {median[n]['wall_s']:7.2f} s ({ratio[n]['wall_s']:.2f} x ninja)   "
                  f"{median[n]['cpu_s']:7.2f} s cpu ({ratio[n]['cpu_s']:.2f} x)")


if __name__ == "__main__":
    main()
