"""A terminal for tests of the studio: a tmux server of its own, keys in, captured screens out; and what to look at."""
import json
import os
import struct
import subprocess
import time
import unicodedata
import zlib


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

    def __init__(self, directory, width=100, height=30, environment=None):
        self.socket = f"{directory}/tmux"
        self.env = dict(os.environ, TERM="xterm-256color", LANG="C.UTF-8", SHELL="/bin/sh", **(environment or {}))
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

    def screen(self, colors=False):
        return self.tmux("capture-pane", "-p", *(["-e"] if colors else []), "-t", "0")

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

    def until(self, holds, what, within=20):
        end = time.monotonic() + within
        while not holds():
            if time.monotonic() > end:
                raise SystemExit(f"expected {what} on the screen:\n{self.screen()}")
            time.sleep(0.1)

    def close(self):
        subprocess.run(["tmux", "-S", self.socket, "kill-server"], env=self.env, capture_output=True)


def columns(text):
    """The cells that a text takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)
