#!/usr/bin/env python3
"""The terminal studio as a person uses it: keys into tmux, captured screens out, against a real daemon.

    tests/tui_test.py --sparky build/release/bin/sparky
"""
import argparse
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import zlib
from pathlib import Path

parser = argparse.ArgumentParser()
parser.add_argument("--sparky", required=True)
args = parser.parse_args()
SPARKY = str(Path(args.sparky).resolve())


def png(path, prompt, seed, width=16, height=16):
    """A small picture with the story that `sparky generate` writes."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    story = json.dumps({"request": {"model": "/m/sprite-32", "prompt": prompt, "seed": seed}})
    rows = b"".join(b"\0" + bytes([200, 30 * (y % 8), 40, 255]) * width for y in range(height))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)) +
                     chunk(b"tEXt", b"sparky\0" + story.encode()) + chunk(b"IDAT", zlib.compress(rows)) +
                     chunk(b"IEND", b""))


class Terminal:
    """A tmux server of its own with one window."""

    def __init__(self, directory, width=100, height=30):
        self.socket = f"{directory}/tmux"
        self.env = dict(os.environ, TERM="xterm-256color", LANG="C.UTF-8", SHELL="/bin/sh")
        for name in ("TMUX", "NO_COLOR", "SPARKY_GRAPHICS"):
            self.env.pop(name, None)
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height), "/bin/sh")
        self.tmux("set-option", "-g", "status", "off")
        self.type("PS1='ready> '\n")
        self.expect("ready> ")

    def tmux(self, *words):
        done = subprocess.run(["tmux", "-S", self.socket, *words], env=self.env, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"tmux {words}: {done.stderr}")
        return done.stdout

    def screen(self):
        return self.tmux("capture-pane", "-p", "-t", "0")

    def type(self, text):
        self.tmux("send-keys", "-t", "0", "-l", text)

    def press(self, *keys):
        self.tmux("send-keys", "-t", "0", *keys)

    def expect(self, *texts, gone=(), within=20):
        """Waits until all texts are on the screen and none of `gone` is."""
        end = time.monotonic() + within
        while True:
            shown = self.screen()
            if all(t in shown for t in texts) and not any(t in shown for t in gone):
                return shown
            if time.monotonic() > end:
                raise SystemExit(f"expected {texts}, without {gone}, on the screen:\n{shown}")
            time.sleep(0.1)

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], env=self.env, capture_output=True)


def main():
    directory = tempfile.mkdtemp(prefix="sparky-tui-")
    project = Path(directory) / "game"
    (project / ".sparky").mkdir(parents=True)
    (project / "plan.toml").write_text('''
[plan]
name = "Demo"
[[orchestrator]]
id = "all"
[[workstream]]
id = "WS-01"
name = "Says hello"
orchestrator = "all"
run = "echo hello from the log"
[[workstream.criteria]]
text = "it is well"
check = "true"
[[workstream]]
id = "WS-02"
name = "Needs a person"
orchestrator = "all"
run = "true"
depends_on = ["WS-01"]
[[workstream.criteria]]
text = "looks good"
manual = true
''')
    png(project / "outputs/jobs/a/dragon.png", "a red dragon", 7)
    png(project / "outputs/knight.png", "a brave knight", 8)
    terminal = Terminal(directory)
    daemon = None
    try:
        daemon = subprocess.Popen([SPARKY, "--project", str(project), "serve", "--req", "none", "--pub", "none",
                                   "--events", "none"], stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while not (project / ".sparky/sock").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        walk(terminal, project)
        daemon = restart(terminal, project, daemon)
        leave(terminal, project)
    finally:
        terminal.close()
        if daemon:
            daemon.terminate()
            daemon.wait()
        subprocess.run([SPARKY, "--project", str(project), "prune"], capture_output=True)
        shutil.rmtree(directory, ignore_errors=True)
    print("terminal studio: well")


def walk(t, project):
    t.type(f"cd {project}; {SPARKY}\n")
    t.expect("1 Generation", "Prompt", "enter generate")
    # A focused text field takes every key.
    t.type("16-bit knight? quick!")
    t.expect("16-bit knight? quick!")
    t.press("Escape")
    time.sleep(0.2)
    # The gallery finds files at once, also new ones; search; the picture in full; delete and undo.
    t.press("4")
    t.expect("2 pictures", "a red dragon", "a brave knight")
    png(project / "outputs/wizard.png", "an old wizard", 9)
    t.expect("3 pictures", "an old wizard")
    t.type("/dragon")
    t.press("Enter")
    t.expect("1 of 3", "a red dragon", gone=["wizard"])
    t.press("*")
    t.expect("starred")
    t.press("Enter")
    t.expect("seed 7", "16x16", "jobs/a/dragon.png")
    t.press("x")
    t.expect("deleted")
    assert not (project / "outputs/jobs/a/dragon.png").exists()
    t.press("u")
    t.expect("is back")
    assert (project / "outputs/jobs/a/dragon.png").exists()
    t.press("Escape")
    t.press("Escape")
    # A plan runs, its log, its evidence, and what a person decides.
    t.press("9")
    t.expect("No plan runs")
    t.press("R")
    t.type("plan.toml")
    t.press("Enter")
    t.expect("Demo", "WS-01 Says hello", "1 verified", "1 decisions wait")
    t.press("Down")
    t.press("f")
    t.expect("hello from the log")
    t.press("f")
    t.press("Enter")
    t.expect("verified it is well")
    t.press("n")
    t.expect("WS-02", gone=["WS-01 Says"])
    t.press("a")
    t.type("fine")
    t.press("Enter")
    t.expect("nothing needs a person")
    # Settings are written, and comments stay; a key that cannot do anything says why.
    (project / "sparky.toml").write_text("# mine\n[run]\njobs = 3  # three\n")
    t.press("7")
    t.expect("run.jobs", "file")
    t.press("Enter")
    t.press("C-u")
    t.type("5")
    t.press("Enter")
    t.expect("run.jobs is written")
    assert (project / "sparky.toml").read_text() == "# mine\n[run]\njobs = 5  # three\n"
    t.press("3")
    t.expect("No jobs")
    t.press("r")
    t.expect("there is no job")
    for key, text in (("2", "No comparisons"), ("6", "Memory"), ("8", "Everywhere"), ("5", "odels")):
        t.press(key)
        t.expect(text)
    t.type(":quit")
    t.expect("quit (q)")
    t.press("Escape")
    # Any size.
    t.tmux("resize-window", "-t", "0", "-x", "40", "-y", "10")
    t.press("4")
    t.expect("4 Gallery")
    t.tmux("resize-window", "-t", "0", "-x", "100", "-y", "30")
    t.expect("3 pictures")


def restart(t, project, daemon):
    """The daemon dies; a line says so; all comes back by itself."""
    daemon.send_signal(signal.SIGKILL)
    daemon.wait()
    t.expect("comes back by itself")
    daemon = subprocess.Popen([SPARKY, "--project", str(project), "serve", "--req", "none", "--pub", "none",
                               "--events", "none"], stderr=subprocess.DEVNULL)
    t.expect("3 pictures", gone=["comes back by itself"])
    return daemon


def studio_of(project):
    """The process id of the studio, which was started by the name alone in the project's directory."""
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if words[0].decode() == SPARKY and words[1] in (b"", b"tui") and (entry / "cwd").resolve() == project:
                return int(entry.name)
        except (OSError, IndexError, ValueError):
            continue
    raise SystemExit("the studio is not there")


def leave(t, project):
    # ^Z and fg.
    t.press("C-z")
    t.expect("ready>", gone=["4 Gallery"])
    t.type("fg\n")
    t.expect("4 Gallery", "3 pictures")
    # A signal puts the terminal back, and so does q; what was typed is there again.
    os.kill(studio_of(project), signal.SIGTERM)
    t.expect("ready>", gone=["4 Gallery"])
    t.type(f"{SPARKY}\n")
    t.expect("16-bit knight? quick!")
    t.press("Escape")
    time.sleep(0.2)
    t.press("q")
    t.expect("ready>", gone=["1 Generation"])
    t.type("stty -a | grep -c -- ' icanon'\n")
    t.expect("\n1\n")


if __name__ == "__main__":
    sys.exit(main())
