#!/usr/bin/env python3
"""The terminal studio as a person uses it: keys into tmux, captured screens out, against a real daemon.

    tests/tui_test.py --sparky build/release/bin/sparky
"""
import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "support"))
from terminal import Terminal, columns, png  # noqa: E402

parser = argparse.ArgumentParser()
parser.add_argument("--sparky", required=True)
args = parser.parse_args()
SPARKY = str(Path(args.sparky).resolve())


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
        crash(terminal, project)
        plain_terminals(terminal, project)
        mouse(terminal, project)
        sleeps(terminal, project)
        strange_text(terminal, project)
        newcomer(terminal, Path(directory) / "new")
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
    t.expect("1 of 3 pictures", "a red dragon", gone=["wizard"])
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
    t.expect("Demo", "WS-01 Says hello", "1 verified", "1 needs a person")
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


def quit_studio(t):
    t.press("Escape")
    time.sleep(0.2)
    t.press("q")
    t.expect("ready>", gone=["1 Gen"])
    t.type("clear\n")
    t.expect("ready>", gone=["stty", "sparky"])


def crash(t, project):
    """A crash, too, gives the terminal back as it was."""
    t.type(f"clear; {SPARKY}\n")
    t.expect("1 Generation", "enter generate")
    os.kill(studio_of(project), signal.SIGSEGV)
    t.expect("ready>", gone=["1 Generation"])
    t.type("clear; stty -a | grep -c -- ' icanon.* echo '; stty -a | grep -c -- ' icanon'\n")
    t.expect("\n1\n")
    t.type("clear\n")


def plain_terminals(t, project):
    """No colours, sixteen colours, no Unicode; and the screen's size changing all the time."""
    t.type(f"clear; NO_COLOR=1 {SPARKY}\n")
    t.expect("1 Generation", "enter generate")
    t.press("Escape", "4")
    t.expect("3 pictures")
    t.until(lambda: any("\u2800" < c <= "\u28ff" for c in t.screen()), "pictures in braille")
    shown = t.screen(colors=True)
    assert not re.search(r"\x1b\[[0-9;]*\b(3[0-8]|4[0-8]|9[0-7])\b[0-9;]*m", shown), shown
    quit_studio(t)
    t.type(f"clear; TERM=xterm {SPARKY}\n")
    t.expect("1 Generation", "enter generate")
    t.press("Escape", "4")
    t.expect("3 pictures")
    t.until(lambda: "▀" in t.screen() or "▄" in t.screen(), "pictures in half-blocks")
    shown = t.screen(colors=True)
    assert "38;" not in shown and "48;" not in shown, "sixteen colours: " + shown
    quit_studio(t)
    t.type(f"clear; LC_ALL=C {SPARKY}\n")
    t.expect("1 Generation", "enter generate")
    t.press("Escape")
    for key in "4694":
        t.press(key)
        time.sleep(0.3)
        assert t.screen().isascii(), t.screen()
    for width, height in ((30, 8), (200, 50), (41, 11), (79, 24), (12, 3), (100, 30)) * 3:
        t.tmux("resize-window", "-t", "0", "-x", str(width), "-y", str(height))
    t.expect("4 Gallery", "3 pictures")
    quit_studio(t)


def sleeps(t, project):
    """Where nothing happens the studio sleeps: its threads wake a few times a second, for clocks and the daemon's word."""
    t.type(f"clear; {SPARKY}\n")
    t.expect("1 Generation", "enter generate", gone=["connecting"])
    t.press("Escape", "8")
    t.expect("Everywhere")
    time.sleep(2)
    tasks = list(Path(f"/proc/{studio_of(project)}/task").iterdir())

    def wakings():
        words = [re.search(r"^voluntary_ctxt_switches:\s+(\d+)", (task / "status").read_text(), re.M) for task in tasks]
        return sum(int(word[1]) for word in words)
    before, began = wakings(), time.monotonic()
    time.sleep(4)
    rate = (wakings() - before) / (time.monotonic() - began)
    assert rate < 15, f"{rate:.0f} wakings a second while nothing happens"
    quit_studio(t)


def mouse(t, project):
    """Clicks on the screens' names and on pictures, and the wheel; and an override that does not exist."""
    def click(column, row, button=0):
        t.type(f"\x1b[<{button};{column + 1};{row + 1}M")
    t.type(f"clear; SPARKY_GRAPHICS=vga {SPARKY}\n")
    t.expect("SPARKY_GRAPHICS is 'vga'", "kitty, iterm2, sixel, symbols")
    t.type(f"clear; {SPARKY}\n")
    shown = t.expect("1 Generation", "enter generate", "4 Gallery")
    click(shown.index("4 Gallery"), 0)
    t.expect("3 pictures", "enter full")
    t.press("Home")
    click(25, 5)
    click(25, 5)  # the second picture: chosen, then opened
    shown = t.expect("16x16", "seed")
    t.press("Escape")
    t.expect("3 pictures")
    click(25, 5, 65)
    t.type(":quit")
    t.expect("quit (q)")
    t.press("Enter")
    t.expect("ready>", gone=["4 Gallery"])
    t.type("clear\n")


def strange_text(t, project):
    """Wide, combining and joined characters keep the columns; nothing in a name or a prompt controls the terminal."""
    png(project / "outputs/odd\x1b]2;owned\x07\x1b[31mname.png", "龍の界 🙂 \x1b]2;owned\x07", 11)
    t.type(f"clear; {SPARKY}\n")
    t.expect("1 Generation", "enter generate")
    t.press("C-u")
    t.type("龍の界 cafe\u0301 🙂 x")
    shown = t.expect("龍の界", "🙂 x")
    places = {columns(line[:line.index("│")]) for line in shown.split("\n") if "│" in line}
    assert len(places) == 1, f"the line between the columns is broken:\n{shown}"
    t.press("Escape", "4")
    t.expect("4 pictures", "龍の界")
    assert "owned" not in t.tmux("display-message", "-p", "#{pane_title}")
    t.press("Enter")
    t.expect("seed 11")
    assert "owned" not in t.tmux("display-message", "-p", "#{pane_title}")
    quit_studio(t)


def newcomer(t, project):
    """No daemon and no plan: what cannot be done says what to do, and an example plan is watched to its end."""
    project.mkdir()
    (project / ".gitignore").write_text("mine\n")  # stays, and is no hindrance
    # Its ports may be another daemon's.
    (project / "sparky.toml").write_text('[serve]\nreq = "none"\npub = "none"\nevents = "none"\nhttp = "none"\n')
    t.type(f"clear; cd {project}; {SPARKY}\n")
    try:
        t.expect("1 Generation", "a red dragon", gone=["connecting"])
        t.press("Escape", "9")
        t.expect("E writes an example")
        t.press("g")
        t.expect("g: no plan runs; R runs one")
        t.press("E")
        t.expect("Collect words", "running", " of 9 words", "to go")
        t.press("g")
        t.expect("critical path", "█▒")
        t.press("g", "f")
        t.expect("collected word-")
        t.press("f", "?")
        t.expect("9 Plan", "each criterion with its evidence", gone=["Everywhere"])
        t.press("Escape")
        t.expect("9 Plan?1", "1 needs a person: n", within=60)
        t.press("n")
        t.expect("A person has looked", "a approve", gone=["Collect words"])
        t.press("a", "Enter")
        t.expect("100 %", "nothing needs a person; n shows all")
        t.press("n")
        t.expect("Collect words", "1 verified")
        assert (project / ".gitignore").read_text() == "mine\n"
        t.press("R")
        t.expect("only enter: the one here")
        t.press("Escape", "Escape")
        quit_studio(t)
    finally:
        holder = re.match(r"pid (\d+)", (project / ".sparky/lock").read_text())
        if holder:
            os.kill(int(holder[1]), signal.SIGTERM)
            end = time.monotonic() + 20
            while Path(f"/proc/{holder[1]}").exists() and time.monotonic() < end:
                time.sleep(0.1)


if __name__ == "__main__":
    sys.exit(main())
