#!/usr/bin/env python3
"""The terminal studio over a slow line: a pseudo-terminal whose output is read at a few kilobytes a second, by a terminal
that answers when it has read. Frames are left out, not queued: after a burst of keys what comes is the latest screen.

    tests/tui_line_test.py --sparky build/release/bin/sparky
"""
import argparse
import fcntl
import os
import pty
import re
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

BYTES_A_SECOND = 8000
COLUMNS, ROWS = 100, 30


class Line:
    """The studio at the other end of a line. Answers DA1 when the question has come through, as a terminal does."""

    def __init__(self, sparky, project):
        self.bytes, self.answered = b"", 0
        self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
        self.rest, self.x, self.y = "", 0, 0
        environment = dict(os.environ, TERM="xterm-256color", LANG="C.UTF-8", SPARKY_GRAPHICS="symbols")
        environment.pop("TMUX", None)
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execve(sparky, [sparky, "--project", str(project)], environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))

    def read(self):
        """A tenth of a second of the line."""
        begin = time.monotonic()
        ready, _, _ = select.select([self.fd], [], [], 0.1)
        try:
            came = os.read(self.fd, BYTES_A_SECOND // 10) if ready else b""
        except OSError:
            return False
        self.bytes += came
        self.show(came.decode(errors="replace"))
        asked = self.bytes.count(b"\x1b[c")
        for _ in range(asked - self.answered):
            os.write(self.fd, b"\x1b[?62;22c")
        self.answered = asked
        time.sleep(max(0.0, 0.1 - (time.monotonic() - begin)))
        return True

    def show(self, text):
        """Only what the studio uses: places, and characters of one cell."""
        text = self.rest + text
        self.rest = ""
        for part in re.split(r"(\x1b\[[0-9;?<>=]*[A-Za-z ]q?|\x1b[P_\]].*?(?:\x1b\\|\x07))", text, flags=re.S):
            if part.startswith("\x1b"):
                place = re.fullmatch(r"\x1b\[(\d+);(\d+)H", part)
                if place:
                    self.y, self.x = int(place[1]) - 1, int(place[2]) - 1
                elif part == "\x1b[2J":
                    self.cells = [[" "] * COLUMNS for _ in range(ROWS)]
                continue
            at = part.find("\x1b")
            if at >= 0:  # the rest comes with the next bytes
                part, self.rest = part[:at], part[at:]
            for c in part:
                if self.y < ROWS and self.x < COLUMNS and c >= " ":
                    self.cells[self.y][self.x] = c
                    self.x += 1

    def screen(self):
        return "\n".join("".join(row).rstrip() for row in self.cells)

    def expect(self, *texts):
        end = time.monotonic() + 60
        while not all(t in self.screen() for t in texts):
            if not self.read() or time.monotonic() > end:
                raise SystemExit(f"expected {texts} on the screen:\n{self.screen()}")

    def press(self, keys):
        os.write(self.fd, keys.encode())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sparky", required=True)
    sparky = str(Path(parser.parse_args().sparky).resolve())
    directory = Path(tempfile.mkdtemp(prefix="sparky-line-"))
    (directory / ".sparky").mkdir()
    daemon = subprocess.Popen([sparky, "--project", str(directory), "serve", "--req", "none", "--pub", "none", "--events",
                               "none", "--http", "none"], stderr=subprocess.DEVNULL)
    try:
        while not (directory / ".sparky/sock").exists():
            time.sleep(0.05)
        line = Line(sparky, directory)
        line.expect("1 Generation", "Prompt", "enter generate")
        line.press("\x1b")
        line.expect("i edit")
        line.press("7")
        line.expect("7 Settings", "settings", "run.jobs")
        line.press("8")
        line.expect("8 Help", "Everywhere")
        # What two screens took, painted one after the other.
        before = len(line.bytes)
        line.press("7")
        line.expect("run.jobs")
        line.press("8")
        line.expect("Everywhere")
        both = len(line.bytes) - before
        before = len(line.bytes)
        for _ in range(60):
            line.press("7")
            time.sleep(0.02)
            line.press("8")
            time.sleep(0.02)
        line.press("3")
        line.expect("3 Queue", "No jobs")
        burst = len(line.bytes) - before
        print(f"two screens are {both} bytes; 120 changes of the screen and a last one became {burst}")
        assert burst < 20 * both, "frames pile up on the line"
        line.press("q")
        while line.read():
            pass
        assert os.waitstatus_to_exitcode(os.waitpid(line.pid, 0)[1]) == 0
        assert b"\x1b[?1049l" in line.bytes[-200:], "the screen is given back"
        os.close(line.fd)
    finally:
        daemon.terminate()
        daemon.wait()
        shutil.rmtree(directory, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
