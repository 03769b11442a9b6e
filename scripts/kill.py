#!/usr/bin/env python3
"""The kill loop: SIGKILL to Sparky, to its warden, or to both, at random moments of real runs.

    scripts/kill.py --sparky build/release/bin/sparky --rounds 20 [--seed N] [--keep]

A round is one kill. Each project runs a plan whose workstreams write a line per execution into effects/; `sparky run`
is started again after every kill until the plan is done. Then:
  - the run is complete, and every workstream and every check that it needed left its effect;
  - an attempt never ran twice; a workstream ran again only for attempts that the journal has as lost, so that without
    a killed warden each ran exactly once;
  - the journal verifies;
  - after a restart nothing of a killed warden's attempts is alive, and at the end nothing at all.
It fails too if no kill hit a run that was alive, or none hit a running attempt.
"""
import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PATIENCE_S = 120  # for one project without a kill; only a hang comes near it
KILLS_MAX = 8  # per project; then it may go on to its end
WARDEN_KILLS_MAX = 2  # of these: work that is lost three times in a row is taken for what kills its warden


def plan_text(rng):
    """Workstreams of all manners: quick, slow, forking, stubborn; in three orchestrators, with a gate in between."""
    manners = [
        "sleep 0.0{n}",
        "sleep 0.{n}",
        "(setsid sleep 600 &) ; sleep 0.0{n}",
        "sleep 600 & sleep 0.0{n}",
        "(setsid sh -c 'trap \"\" TERM; sleep 600; :' &) ; sleep 0.1",
        "trap '' TERM; sleep 0.{n}",
        "echo '::progress 0.5 half'; head -c 3000000 /dev/zero; sleep 0.0{n}",
        "true",
    ]
    out = ['[plan]\nname = "kill"\n']
    for o, phase in (("first", "sequential"), ("second", "parallel"), ("third", "mixed")):
        after = "" if o == "first" else '\ndepends_on = ["gate"]' if o == "second" else '\ndepends_on = ["first"]'
        out.append(f'[[orchestrator]]\nid = "{o}"\nphase = "{phase}"{after}\n')
    ids = []
    for o, count in (("first", 3), ("second", 5), ("third", 5)):
        for k in range(count):
            ws = f"{o}-{k}"
            ids.append(ws)
            # One line per execution, named by its attempt; written before and after, in one write each.
            run = f"echo $SPARKY_ATTEMPT >> effects/{ws}; {rng.choice(manners).format(n=rng.randint(1, 9))}; touch done-{ws}"
            out.append(f'[[workstream]]\nid = "{ws}"\nname = "{ws}"\norchestrator = "{o}"\nretries = 0')
            out.append(f"run = {json.dumps(run)}")
            out.append("[[workstream.criteria]]\ntext = \"it was done\"")
            out.append(f"check = {json.dumps(f'echo $SPARKY_ATTEMPT >> effects/check-{ws}; test -e done-{ws}')}\n")
    out.append('[[gate]]\nid = "gate"\nafter = ["first"]\nbefore = ["second"]')
    out.append('[[gate.criteria]]\ntext = "first is done"\ncheck = "test -e done-first-0 -a -e done-first-2"\n')
    return "\n".join(out), ids


def environment(pid):
    try:
        return dict(item.split(b"=", 1) for item in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0") if b"=" in item)
    except OSError:
        return {}


def started(pid):
    try:
        rest = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return None if rest[0] in "ZX" else rest[19]
    except (OSError, IndexError):
        return None


class Project:
    def __init__(self, sparky, rng, root):
        self.sparky, self.rng, self.root = sparky, rng, root
        self.warden_directory = os.fsencode(root / ".sparky" / "warden")
        text, self.ids = plan_text(rng)
        (root / "plan.toml").write_text(text)
        (root / "effects").mkdir()
        self.said = open(root / "said.log", "wb")
        self.process = None

    def command(self, *arguments):
        return [self.sparky, "--project", str(self.root), *arguments]

    def start(self):
        self.process = subprocess.Popen(self.command("run", str(self.root / "plan.toml"), "--jobs", "3"), cwd=self.root,
                                        stdin=subprocess.DEVNULL, stdout=self.said, stderr=self.said,
                                        start_new_session=True)

    def marked(self):
        """The living processes that bear this project's mark: (pid, when it started)."""
        out = set()
        for entry in os.listdir("/proc"):
            if entry.isdigit() and environment(entry).get(b"SPARKY_WARDEN") == self.warden_directory:
                if (when := started(entry)) is not None:
                    out.add((int(entry), when))
        return out

    def warden(self):
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                arguments = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if arguments[0].endswith(b"sparky-warden") and self.warden_directory in arguments and started(entry):
                return int(entry)
        return None

    def exported(self):
        text = subprocess.run(self.command("journal", "export"), cwd=self.root, capture_output=True, check=True).stdout
        return [json.loads(line) for line in text.splitlines()]


class Failure(Exception):
    pass


def kill(pid):
    try:
        os.kill(pid, signal.SIGKILL)
        return True
    except (ProcessLookupError, TypeError):
        return False


def wait_until(what, seconds, message):
    end = time.monotonic() + seconds
    while not what():
        if time.monotonic() > end:
            raise Failure(message)
        time.sleep(0.02)


def one_kill(project, target, tally):
    """Kills, starts again, and sees to it that what a killed warden left is gone soon after."""
    before = project.marked()
    alive = project.process.poll() is None
    warden = project.warden() if target != "sparky" else None
    if target == "both" and project.rng.random() < 0.5:
        hit_warden, hit = kill(warden), alive and kill(project.process.pid)
    else:
        hit = target != "warden" and alive and kill(project.process.pid)
        hit_warden = kill(warden)
    tally["alive"] += bool(hit or hit_warden)
    tally["running"] += bool((hit or hit_warden) and before)
    tally[target] += 1
    if hit:
        project.process.wait()
        if project.rng.random() < 0.3:
            time.sleep(project.rng.random() * 0.3)  # attempts go on, and may end, while nobody is there
        project.start()
    if hit_warden:
        remains = lambda: not before & project.marked()
        wait_until(lambda: remains() or project.process.poll() is not None, 60, "what a killed warden left is still alive")
        if not remains():
            raise Failure(f"strays after a restart: {before & project.marked()}")
    return bool(hit_warden)


def judge(project, wardens_killed):
    effects = {f.name: f.read_text().split() for f in (project.root / "effects").iterdir()}
    events = project.exported()
    lost = set()
    for event in events:
        if event["event"] == "attempt-ended" and event["data"]["outcome"] == "lost":
            lost.add(event["data"]["attempt"])
    for ws in project.ids:
        for name in (ws, "check-" + ws):
            lines = effects.get(name, [])
            if not lines:
                raise Failure(f"{name} left no effect")
            if len(set(lines)) != len(lines):
                raise Failure(f"an attempt ran twice: {name} {lines}")
            unexplained = [a for a in lines if int(a.split("-")[0]) not in lost]
            if len(unexplained) != 1:
                raise Failure(f"{name} ran as {lines}; lost were {sorted(lost)}")
    if wardens_killed == 0 and lost:
        raise Failure(f"attempts were lost though no warden was killed: {sorted(lost)}")
    verified = subprocess.run(project.command("journal", "verify"), cwd=project.root, capture_output=True, text=True)
    if verified.returncode != 0:
        raise Failure("the journal does not verify: " + verified.stderr)
    wait_until(lambda: not project.marked() and project.warden() is None, 60, "something is alive after the end")
    return len(lost)


def run_project(sparky, rng, root, rounds_left, tally):
    """Returns how many kills it took."""
    project = Project(sparky, rng, root)
    project.start()
    kills = wardens_killed = 0
    with_wardens = rng.random() < 0.7
    end = time.monotonic() + PATIENCE_S
    while kills < min(rounds_left, KILLS_MAX):
        # Mostly while attempts run; now and then whenever it comes, also as it starts.
        if rng.random() < 0.8:
            while not project.marked() and project.process.poll() is None:
                time.sleep(0.005)
        pause = time.monotonic() + rng.random() ** 2 * 0.8
        while time.monotonic() < pause and project.process.poll() is None:
            time.sleep(0.005)
        if project.process.poll() is not None:
            break
        targets = ["sparky"]
        if with_wardens and wardens_killed < WARDEN_KILLS_MAX:
            targets += ["warden", "both"]
        wardens_killed += one_kill(project, rng.choice(targets), tally)
        kills += 1
        if time.monotonic() > end:
            raise Failure(f"not done after {PATIENCE_S} s")
    try:
        code = project.process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        raise Failure(f"sparky run did not end within {PATIENCE_S} s") from None
    if code != 0:
        raise Failure(f"sparky run ended with {code}")
    tally["lost"] += judge(project, wardens_killed)
    tally["projects"] += 1
    return kills


def clean(root):
    for entry in os.listdir("/proc"):
        if entry.isdigit() and environment(entry).get(b"SPARKY_WARDEN", b"").startswith(os.fsencode(root)):
            kill(int(entry))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sparky", default="build/release/bin/sparky")
    parser.add_argument("--rounds", type=int, default=20, help="how many kills")
    parser.add_argument("--seed", type=int, default=None, help="repeats the choices (not the moments) of an earlier loop")
    parser.add_argument("--keep", action="store_true", help="keep the projects' directories")
    arguments = parser.parse_args()
    sparky = str(Path(arguments.sparky).resolve())
    seed = arguments.seed if arguments.seed is not None else random.randrange(1 << 32)
    rng = random.Random(seed)
    tally = dict.fromkeys(("alive", "running", "sparky", "warden", "both", "lost", "projects"), 0)
    base = Path(tempfile.mkdtemp(prefix="sparky kill ")).resolve()
    kills = number = 0
    try:
        while kills < arguments.rounds:
            number += 1
            root = base / f"project {number}"
            root.mkdir()
            kills += run_project(sparky, rng, root, arguments.rounds - kills, tally)
            print(f"kill: {kills} of {arguments.rounds} kills, {tally['projects']} runs done", file=sys.stderr)
            if not arguments.keep:
                shutil.rmtree(root)
        if tally["alive"] == 0 or tally["running"] == 0:
            raise Failure("no kill hit anything: nothing was tested")
    except Failure as failure:
        print(f"kill: FAILED: {failure}\n  project: {root}\n  again: scripts/kill.py --rounds {arguments.rounds} "
              f"--seed {seed}", file=sys.stderr)
        clean(base)
        return 1
    if not arguments.keep:
        shutil.rmtree(base)
    print(f"kill: {kills} kills ({tally['sparky']} Sparky, {tally['warden']} warden, {tally['both']} both; "
          f"{tally['running']} hit running attempts) in {tally['projects']} runs; {tally['lost']} attempts lost and "
          f"run again, nothing run twice otherwise, no stray process (seed {seed})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
