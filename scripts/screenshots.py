#!/usr/bin/env python3
"""Screenshots of the terminal studio for the documents: starts it in tmux on a project, takes each screen with its
colours, and writes it as SVG.

    scripts/screenshots.py --sparky build/release/bin/sparky --project DIR --out docs/images

With --prepare the project is made first: a plan with a decision to take, and pictures that the model draws. Names of
this machine are seen in the pictures: give a DIR such as /home/ada/dungeon, and SPARKY_MODELS=/home/ada/models.
"""
import argparse
import json
import os
import re
import subprocess
import tempfile
import time
import unicodedata
from html import escape
from pathlib import Path

SCREENS = ["generation", "comparison", "queue", "gallery", "models", "monitor", "settings", "help", "plan"]
CELL_W, CELL_H = 9, 18
BASIC = ["#1c1c1c", "#d75f5f", "#87af5f", "#d7af5f", "#5f87d7", "#af87d7", "#5fafaf", "#c6c6c6",
         "#767676", "#ff8787", "#afd787", "#ffd787", "#87afff", "#d7afff", "#87d7d7", "#ffffff"]
FOREGROUND, BACKGROUND = "#d0d0d0", "#161616"


def palette(index):
    if index < 16:
        return BASIC[index]
    if index < 232:
        index -= 16
        steps = [0, 95, 135, 175, 215, 255]
        return "#%02x%02x%02x" % (steps[index // 36], steps[index // 6 % 6], steps[index % 6])
    return "#%02x%02x%02x" % ((8 + (index - 232) * 10,) * 3)


class Pen:
    def __init__(self):
        self.reset()

    def reset(self):
        self.fg, self.bg, self.bold, self.dim, self.inverse, self.underline = FOREGROUND, BACKGROUND, 0, 0, 0, 0

    def take(self, codes):
        codes = [int(c or 0) for c in codes.split(";")]
        while codes:
            c = codes.pop(0)
            if c == 0: self.reset()
            elif c == 1: self.bold = 1
            elif c == 2: self.dim = 1
            elif c == 4: self.underline = 1
            elif c == 7: self.inverse = 1
            elif c == 39: self.fg = FOREGROUND
            elif c == 49: self.bg = BACKGROUND
            elif c in (38, 48) and codes:
                kind = codes.pop(0)
                if kind == 5: color = palette(codes.pop(0))
                else: color = "#%02x%02x%02x" % tuple(codes[:3]); codes = codes[3:]
                if c == 38: self.fg = color
                else: self.bg = color
            elif 30 <= c <= 37: self.fg = BASIC[c - 30]
            elif 40 <= c <= 47: self.bg = BASIC[c - 40]
            elif 90 <= c <= 97: self.fg = BASIC[c - 82]
            elif 100 <= c <= 107: self.bg = BASIC[c - 92]


def svg(captured, columns, rows):
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{columns * CELL_W}" height="{rows * CELL_H}" '
           f'font-family="monospace" font-size="15">',
           f'<rect width="100%" height="100%" fill="{BACKGROUND}"/>']
    pen = Pen()  # goes on from line to line
    for y, line in enumerate(captured.split("\n")[:rows]):
        x = 0
        for part in re.split(r"(\x1b\[[0-9;]*m)", line):
            if part.startswith("\x1b["):
                pen.take(part[2:-1])
                continue
            for c in re.sub(r"\x1b[^m]*?[\\\x07]|\x0e|\x0f", "", part):
                if unicodedata.combining(c):
                    continue
                wide = 2 if unicodedata.east_asian_width(c) in "WF" else 1
                fg, bg = (pen.bg, pen.fg) if pen.inverse else (pen.fg, pen.bg)
                left, top, w = x * CELL_W, y * CELL_H, CELL_W * wide
                if bg != BACKGROUND:
                    out.append(f'<rect x="{left}" y="{top}" width="{w}" height="{CELL_H}" fill="{bg}" shape-rendering="crispEdges"/>')
                if c in "▀▄█":  # drawn, so that pixels are pixels in every font
                    t, h = {"▀": (top, 9), "▄": (top + 9, 9), "█": (top, 18)}[c]
                    out.append(f'<rect x="{left}" y="{t}" width="{w}" height="{h}" fill="{fg}" shape-rendering="crispEdges"/>')
                elif c in "▏▎▍▌▋▊▉":
                    out.append(f'<rect x="{left}" y="{top}" width="{CELL_W * (1 + "▏▎▍▌▋▊▉".index(c)) / 8}" height="{CELL_H}" fill="{fg}" shape-rendering="crispEdges"/>')
                elif "\u2800" <= c <= "\u28ff":  # braille: bit and place of each dot
                    for bit, (column, row) in enumerate(((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))):
                        if ord(c) >> bit & 1:
                            out.append(f'<circle cx="{left + 2.25 + 4.5 * column}" cy="{top + 2.25 + 4.5 * row}" r="1.7" fill="{fg}"/>')
                elif c != " ":
                    style = (' font-weight="bold"' if pen.bold else "") + (' opacity="0.6"' if pen.dim else "")
                    out.append(f'<text x="{left}" y="{top + 14}" fill="{fg}"{style}>{escape(c)}</text>')
                if pen.underline:
                    out.append(f'<rect x="{left}" y="{top + 16}" width="{w}" height="1" fill="{fg}" opacity="0.5"/>')
                x += wide
    return "\n".join(out + ["</svg>"]) + "\n"


PLAN = """[plan]
name = "Dungeon sprites"
[[orchestrator]]
id = "art"
name = "Art"
[[orchestrator]]
id = "game"
name = "Game"
""" + "".join(f"""[[workstream]]
id = "{name}"
name = "{title}"
orchestrator = "{owner}"
run = "{run}"
{more}
[[workstream.criteria]]
text = "{text}"
{how}
""" for name, title, owner, run, more, text, how in (
    ("WS-01", "Palette", "art", "echo sixteen colours", "", "Sixteen colours", 'check = "true"'),
    ("WS-02", "Monsters", "art", "sleep 2; echo six monsters drawn", 'depends_on = ["WS-01"]', "Six monsters", 'check = "true"'),
    ("WS-03", "Items", "art", "sleep 1; echo six potions drawn", 'depends_on = ["WS-01"]',
     "The potions can be told apart", "manual = true"),
    ("WS-04", "Sprite sheet", "game", "true", 'depends_on = ["WS-02", "WS-03", "gate-1"]', "All on one sheet",
     'check = "true"'))) + """[[gate]]
id = "gate-1"
name = "Art complete"
after = ["art"]
[[gate.criteria]]
text = "Nothing is missing"
check = "true"
"""
PROMPTS = ["a red dragon", "a giant spider", "a treasure chest", "a purple robe", "a silver sword", "a blue potion",
           "a gold ring", "a green snake", "a stone wall", "a skeleton", "a fire spell", "a wooden shield", "a red potion",
           "a knight with a long sword", "a dark cloud"]


def serve(sparky, project):
    project.mkdir(parents=True)
    return subprocess.Popen([sparky, "--project", project, "serve", "--req", "none", "--pub", "none", "--events", "none",
                             "--http", "none"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def prepare(sparky, project):
    """A project in the middle of its work: a run that waits for a person, and pictures."""
    while not (project / ".sparky/sock").exists():
        time.sleep(0.1)
    (project / "plan.toml").write_text(PLAN)
    run = subprocess.Popen([sparky, "--project", project, "run", project / "plan.toml"], stdout=subprocess.DEVNULL,
                           stderr=subprocess.DEVNULL)
    for prompt in PROMPTS:
        submit(sparky, project, prompt)
    while '"queued"' in (jobs := subprocess.run([sparky, "--json", "--project", project, "jobs"], check=True,
                                                capture_output=True, text=True).stdout) or '"running"' in jobs:
        time.sleep(1)
    run.terminate()  # which only watched
    run.wait()


def submit(sparky, project, prompt, steps=20):
    model = "sprite-32"
    name = f"{prompt.replace(' ', '-')}-{steps}"
    subprocess.run([sparky, "--project", project, "job", "submit", "--kind", "generate", "--model", model, "--id", name,
                    "--request", json.dumps({"prompt": prompt, "model": model, "steps": steps})],
                   check=True, capture_output=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sparky", required=True)
    parser.add_argument("--project", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--prepare", action="store_true", help="make the project first")
    parser.add_argument("--only", nargs="*", default=SCREENS, help="screens of which a picture is taken")
    parser.add_argument("--prompt", default="a red dragon")
    parser.add_argument("--keys", action="append", default=[], help="SCREEN=KEYS: pressed before its picture is taken")
    parser.add_argument("--size", default="100x30")
    args = parser.parse_args()
    extra = dict(k.split("=", 1) for k in args.keys)
    sparky, project = str(Path(args.sparky).resolve()), Path(args.project).resolve()
    daemon = serve(sparky, project) if args.prepare else None
    try:
        if daemon:
            prepare(sparky, project)
        take(args, sparky, project, extra, daemon is not None)
    finally:
        if daemon:
            daemon.terminate()
            daemon.wait()


def take(args, sparky, project, extra, busy):
    columns, rows = map(int, args.size.split("x"))
    with tempfile.TemporaryDirectory() as directory:
        env = dict(os.environ, TERM="tmux-256color", COLORTERM="truecolor", LANG="C.UTF-8", SPARKY_GRAPHICS="symbols")
        env.pop("TMUX", None)

        def tmux(*words):
            return subprocess.run(["tmux", "-S", f"{directory}/tmux", *words], env=env, check=True,
                                  capture_output=True, text=True).stdout
        command = f"{sparky} --project {project} tui"
        tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), command)
        tmux("set-option", "-g", "status", "off")
        try:
            time.sleep(4)
            tmux("send-keys", "-t", "0", "C-u")
            tmux("send-keys", "-t", "0", "-l", args.prompt)
            for number, screen in enumerate(SCREENS, 1):
                if number == 2:
                    tmux("send-keys", "-t", "0", "Escape")  # out of the prompt
                    time.sleep(0.5)
                if number > 1:
                    tmux("send-keys", "-t", "0", str(number))
                if busy and screen == "queue":
                    for prompt in ("a horned demon", "a frost giant", "a crystal ball", "a magic staff"):
                        submit(sparky, project, prompt, 60)
                for key in extra.get(screen, "").split():
                    time.sleep(0.5)
                    tmux("send-keys", "-t", "0", *([] if len(key) > 1 else ["-l"]), key)
                time.sleep(8 if screen in ("monitor", "generation") else 2)
                if screen not in args.only:
                    continue
                captured = tmux("capture-pane", "-p", "-e", "-N", "-t", "0")
                Path(args.out, f"tui-{screen}.svg").write_text(svg(captured, columns, rows))
        finally:
            subprocess.run(["tmux", "-S", f"{directory}/tmux", "kill-server"], env=env, capture_output=True)


if __name__ == "__main__":
    main()
