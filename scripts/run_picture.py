#!/usr/bin/env python3
"""A picture of a run, as it stands in a terminal at some moment, as SVG.

    scripts/run_picture.py -o docs/images/run.svg [--after 12] [--columns 92] -- sparky run plans/dgx-pixels --until gate-1

Runs the command in a terminal of its own, takes the last whole frame that it drew within --after seconds (0: the one at
its end), and interrupts it. Frames are what stands between the marks of a synchronized update (DEC 2026).
"""
import argparse
import fcntl
import html
import os
import pty
import re
import select
import signal
import struct
import sys
import termios
import time
from pathlib import Path

COLORS = {"31": "#e06c75", "32": "#98c379", "33": "#e5c07b", "36": "#56b6c2"}
PLAIN, DIM, BRIGHT, PAPER = "#d7dae0", "#7f848e", "#ffffff", "#1e2127"
CELL_WIDTH, CELL_HEIGHT, MARGIN = 8.4, 19, 16


def record(command, after_s, columns):
    pid, fd = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm-256color"
        os.execvp(command[0], command)
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    begun, output = time.monotonic(), b""
    while not after_s or time.monotonic() - begun < after_s:
        if not select.select([fd], [], [], 0.1)[0]:
            continue
        try:
            chunk = os.read(fd, 65536)
        except OSError:  # the program has ended
            break
        if not chunk:
            break
        output += chunk
    os.kill(pid, signal.SIGINT)
    os.close(fd)
    os.waitpid(pid, 0)
    return output.decode("utf-8", "replace")


def last_frame(output):
    frames = re.findall(r"\x1b\[\?2026h(.*?)\x1b\[\?2026l", output, re.S)
    if not frames:
        sys.exit("the command drew no frame")
    return re.sub(r"\x1b\[\d+A\x1b\[J", "", frames[-1]).replace("\r", "").rstrip("\n").split("\n")


def spans(line):
    """Pieces of equal style: (column, text, colour, bold)."""
    colour, bold, column = PLAIN, False, 0
    for piece in re.split(r"(\x1b\[[\d;]*m)", line):
        style = re.fullmatch(r"\x1b\[([\d;]*)m", piece)
        if not style:
            if piece:
                yield column, piece, colour, bold
                column += len(piece)
            continue
        for code in style[1].split(";"):
            if code in ("", "0"):
                colour, bold = PLAIN, False
            elif code == "1":
                colour, bold = BRIGHT, True
            elif code == "2":
                colour = DIM
            else:
                colour = COLORS.get(code, colour)


def svg(prompt, lines, columns):
    width = columns * CELL_WIDTH + 2 * MARGIN
    height = (len(lines) + 2) * CELL_HEIGHT + 2 * MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
           f'font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="14" xml:space="preserve">',
           f"<title>{html.escape(prompt)}</title>",
           f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>']
    for row, line in enumerate([f"\x1b[2m$\x1b[0m {prompt}", ""] + lines):
        y = MARGIN + (row + 0.75) * CELL_HEIGHT
        for column, text, colour, bold in spans(line):
            if text.strip():
                out.append(f'<text x="{MARGIN + column * CELL_WIDTH:.1f}" y="{y:.1f}" fill="{colour}" '
                           f'textLength="{len(text) * CELL_WIDTH:.1f}" lengthAdjust="spacingAndGlyphs"'
                           f'{" font-weight=" + chr(34) + "bold" + chr(34) if bold else ""}>{html.escape(text)}</text>')
    return "\n".join(out + ["</svg>", ""])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", required=True, type=Path)
    parser.add_argument("--after", type=float, default=0, metavar="SECONDS")
    parser.add_argument("--columns", type=int, default=92)
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    frame = last_frame(record(arguments.command, arguments.after, arguments.columns))
    shown = " ".join([Path(arguments.command[0]).name] + arguments.command[1:])
    arguments.output.write_text(svg(shown, frame, arguments.columns))


if __name__ == "__main__":
    main()
