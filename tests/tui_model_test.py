#!/usr/bin/env python3
"""The terminal studio with a model that draws: from the first prompt on a machine where no daemon runs to a picture in a
game, a comparison with its verdict, a queue in another order, models loaded and unloaded,
and a GPU that is watched.

    tests/tui_model_test.py --sparky build/release/bin/sparky --fake-nvml build/release/test/fake_nvml
"""
import argparse
import hashlib
import json
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))
from daemon import tiny_model  # noqa: E402
from terminal import Terminal  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--sparky", required=True)
parser.add_argument("--fake-nvml", required=True)
args = parser.parse_args()
SPARKY = str(Path(args.sparky).resolve())
PICTURE = re.compile("[▀▄█]")


def ask(project, *words):
    done = subprocess.run([SPARKY, "--json", "--project", str(project), *words], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def until(what, seconds=20):
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not come to that"
        time.sleep(0.1)


def field(t, steps, text):
    """Goes so many fields on and writes there."""
    t.press(*["Tab"] * steps)
    t.press("C-u")
    t.type(text)


def draws(t, project):
    """From nothing to a picture, which is seen while it comes into being; again, varied, cancelled."""
    t.type(f"cd {project}; {SPARKY}\n")
    t.expect("1 Generation", "enter generate", gone=["connecting"])
    t.type("a red dragon")
    t.expect("a red dragon", "sprite-32")
    field(t, 5, "200")
    field(t, 3, "2")
    t.press("Enter")
    end = time.monotonic() + 60
    while True:
        shown = t.screen()
        assert "completed" not in shown and time.monotonic() < end, "no preview while it samples:\n" + shown
        if "running" in shown and PICTURE.search(shown):
            break
    t.expect("completed", within=60)
    t.press("C-u")
    field(t, 7, "4")  # over the seed to the steps
    t.press("Escape")
    t.expect("l lock seed")
    t.press("l")
    seed = re.search(r"Seed\s+(\d+)", t.expect("Seed"))[1]
    t.press("a")
    t.expect("completed", f"seed {seed}", within=30)
    t.press("v")
    t.expect("completed", f"seed {int(seed) + 1}", within=30)
    t.press("a")
    t.expect("completed", f"seed {seed}", within=30)
    pictures = {p["path"]: p for p in ask(project, "gallery")["pictures"]}
    same = [p for p in pictures.values() if str(p["seed"]) == seed and "a-red" in p["path"]]
    digests = {hashlib.sha256((project / "outputs" / p["path"]).read_bytes()).hexdigest() for p in same[:2]}
    assert len(same) >= 2 and len(digests) == 1, f"the same seed draws the same: {pictures.keys()}"
    t.press("x")
    t.expect("no picture is being drawn")
    t.press("s")
    t.expect("at 32x32 each pixel is a cell of its grid already")


def snaps(t, project):
    """A large picture is drawn, snapped, and what came of it shown."""
    t.press("Tab")
    field(t, 4, "1024")
    t.press("Enter")
    t.expect("completed", within=60)
    before = set((project / "outputs").rglob("*.png"))
    t.press("Escape")
    t.expect("l lock seed")
    t.press("s")
    t.expect("snap: completed", "completed", within=60)
    made = set((project / "outputs").rglob("*.png")) - before
    assert len(made) == 1, made
    size = struct.unpack(">II", made.pop().read_bytes()[16:24])
    assert size == (32, 32), f"of the 1024 pixels a side 32 cells are left, not {size}"
    t.press("Tab")
    field(t, 4, "")
    t.press("Escape")


def cancels(t):
    t.press("Tab")
    field(t, 5, "200")
    field(t, 3, "20")
    t.press("Enter")
    t.expect("running")
    t.press("Escape")
    t.expect("x cancel")
    t.press("x")
    t.expect("✗ cancelled")
    t.press("Tab")
    field(t, 5, "4")
    field(t, 3, "1")
    t.press("Escape")


def deploys(t, project):
    game = project.parent / "dungeon"
    (game / "assets").mkdir(parents=True)
    (game / "Cargo.toml").write_text('[package]\nname = "dungeon"\n[dependencies]\nbevy = "0.15"\n')
    t.press("a")
    t.expect("completed", within=30)
    t.press("d")
    t.expect("Deploy into")
    t.type(str(game))
    t.press("Enter")
    t.expect("deploy: completed")
    assert list((game / "assets/sprites").glob("*.png")), "no sprite in the game"
    t.press("d")
    t.type("/nowhere/at/all")
    t.press("Enter")
    t.expect("deploy: failed", "cannot open the game")


def compares(t, project):
    t.press("c")
    t.expect("Models", "sprite-32 sprite-two")
    t.press("Enter")
    t.expect("a sprite-32", "b sprite-two", "which is best?")
    t.expect("which is best?", gone=["no job", "queued", "running", "completed"], within=60)  # both with their times
    t.press("b")
    t.expect("b ★ sprite-two", "wins 100 % of 1")
    t.press("d")
    t.expect("there are only 2 pictures")
    for name in ("all.csv", "all.json", "both.png"):
        t.press("e")
        t.expect("Write to")
        t.type(name)
        t.press("Enter")
        t.expect(f"{name} is written")
    table = (project / "all.csv").read_text().splitlines()
    assert table[0].startswith("comparison_id,prompt,seed,model_name") and len(table) == 3, table
    assert json.loads((project / "all.json").read_text())[0]["winner"] == "2"
    assert (project / "both.png").read_bytes().startswith(b"\x89PNG")


def queues(t, project):
    """Jobs that wait: held back, in another order, cancelled, tried again."""
    t.press("3")
    t.expect("jobs", "enter details")
    t.press("p")
    t.expect("PAUSED")
    for name in ("one", "two", "three"):
        subprocess.run([SPARKY, "--project", str(project), "job", "submit", "--kind", "generate", "--model", "sprite-32",
                        "--id", name, "--request", json.dumps({"prompt": "a wall", "model": "sprite-32", "steps": 2})],
                       check=True, capture_output=True)
    t.expect("3 waiting", "#1", "#3")
    t.press("Home")

    def line():
        jobs = ask(project, "jobs", "--state", "queued")["jobs"]
        return [j["id"] for j in sorted(jobs, key=lambda j: j["position"])]
    assert line() == ["one", "two", "three"], line()
    t.press("J")
    t.expect("one goes later")
    until(lambda: line() == ["two", "one", "three"])
    t.press("J")
    until(lambda: line() == ["two", "three", "one"])
    t.until(lambda: re.search(r"one .*#3", t.screen()), "the new order")
    t.press("J")
    t.expect("it is the last")
    t.press("F")
    t.expect("one is the next")
    until(lambda: line() == ["one", "two", "three"])
    ask(project, "job", "move", "one", "--before", "three")
    assert line() == ["two", "one", "three"], line()
    t.until(lambda: re.search(r"one .*#2", t.screen()), "the new order")
    t.press("c")
    t.expect("one is cancelled")
    t.type("/one")
    t.press("Enter")
    t.expect("1 of", "✗ one")
    t.press("r")
    t.expect("one is queued again")
    t.press("Escape")
    t.press("p")
    t.expect("the queue goes on")
    until(lambda: all(j["state"] == "completed" for j in ask(project, "jobs")["jobs"] if j["id"] in ("one", "two", "three")),
          60)
    t.press("Enter")
    t.expect("state      ✓ completed", "worker")
    t.press("Escape")


def holds(t, project, models):
    t.press("5")
    t.expect("sprite-32", "sprite-two", "loaded  local-sprite")
    t.press("Home", "u")
    t.expect("unload sprite-32 by local-sprite: completed", gone=["loaded  local-sprite"])
    t.press("u")
    t.expect("it is not loaded")
    t.press("l")
    t.expect("load sprite-32: completed", "loaded  local-sprite")
    t.press("l")
    t.expect("it is loaded by local-sprite")
    # A second worker: what is unloaded is so in both; the command can name one.
    worker = subprocess.Popen([SPARKY, "--project", str(project), "worker", "--kind", "generate", "--name", "second"],
                              env=dict(os.environ, SPARKY_MODELS=str(models)), stderr=subprocess.DEVNULL)
    try:
        until(lambda: any(w["name"] == "second" for w in ask(project, "workers")))
        assert ask(project, "models", "load", "sprite-32", "--worker", "second")["workers"][0]["name"] == "second"
        t.expect("loaded  local-sprite, second")
        t.press("u")
        t.expect("unload sprite-32 by", "completed", gone=["loaded  local-sprite", "loaded  second"])
        ask(project, "models", "load", "sprite-32", "--worker", "second")
        ask(project, "models", "load", "sprite-32", "--worker", "local-sprite")
        let_go = ask(project, "models", "unload", "sprite-32")["workers"]
        assert {w["name"] for w in let_go} == {"local-sprite", "second"}, let_go
        assert all("sprite-32" not in w["loaded"] for w in let_go), let_go
        assert ask(project, "models", "unload", "sprite-32")["workers"] == []
        refused = subprocess.run([SPARKY, "--project", str(project), "models", "unload", "sprite-32", "--worker", "third"],
                                 capture_output=True, text=True)
        assert refused.returncode != 0 and "there is no worker 'third'" in refused.stderr, refused
    finally:
        worker.terminate()
        worker.wait()
    t.expect("sha256", gone=["loaded  local-sprite"])
    t.press("Down")
    t.expect("sprite-two")
    t.press("Enter")
    t.expect("Model      sprite-two")
    t.press("Escape")


def watches(t):
    t.press("6")
    t.expect("CPU", "Memory", "GPU", "NVIDIA", "Answer", "Pictures", "done in the last minute", "local-sprite")


def finds_again(t):
    t.press("4")
    t.expect("pictures")
    t.press("Home", "Enter")
    t.expect("sprite-32", "seed")
    t.press("g")
    t.expect("its settings are in the form", "Prompt")
    t.press("a")
    t.expect("completed", within=30)


def main():
    directory = tempfile.mkdtemp(prefix="sparky-tui-")
    project = Path(directory) / "game"
    (project / ".sparky").mkdir(parents=True)
    # Its ports may be another daemon's.
    (project / "sparky.toml").write_text('[serve]\nreq = "none"\npub = "none"\nevents = "none"\nhttp = "none"\n')
    models = tiny_model(SPARKY, directory)
    shutil.copytree(models / "sprite-32", models / "sprite-two")
    gpu = {"LD_LIBRARY_PATH": str(Path(args.fake_nvml).resolve()), "FAKE_NVML": "gb10"}
    terminal = Terminal(directory, 110, 30, {"SPARKY_MODELS": str(models), **gpu})
    try:
        draws(terminal, project)
        snaps(terminal, project)
        cancels(terminal)
        deploys(terminal, project)
        compares(terminal, project)
        queues(terminal, project)
        holds(terminal, project, models)
        watches(terminal)
        finds_again(terminal)
        daemon = holder(project)
        words = Path(f"/proc/{daemon}/cmdline").read_bytes().split(b"\0")
        assert b"--idle-exit" in words, "a daemon that the studio started leaves by itself"
        terminal.press("q")
        terminal.expect("ready>", gone=["1 Generation"])
    finally:
        terminal.close()
        if (project / ".sparky/lock").exists():
            daemon = holder(project)
            os.kill(daemon, signal.SIGTERM)
            until(lambda: not Path(f"/proc/{daemon}").exists())
        shutil.rmtree(directory, ignore_errors=True)
    print("terminal studio with a model: well")


def holder(project):
    """The process id of the project's daemon, which the studio started."""
    return int(re.match(r"pid (\d+)", (project / ".sparky/lock").read_text())[1])


if __name__ == "__main__":
    sys.exit(main())
