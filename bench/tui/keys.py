#!/usr/bin/env python3
"""How soon the terminal studio shows what a key does, what it costs while nothing happens and while a plan runs, and how
many frames a second it shows while a picture comes into being: a real daemon, with jobs and pictures in it, and the
studio on a pseudo-terminal of 200×50 that reads at once and answers DA1. A frame is a synchronized update.

    bench/tui/keys.py --sparky build/release/bin/sparky --jobs 10000 --pictures 10000
"""
import argparse
import fcntl
import os
import pty
import select
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests/support"), str(ROOT / "clients/python")]
from daemon import tiny_model  # noqa: E402
from terminal import png  # noqa: E402


class Studio:
    def __init__(self, sparky, project):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            environment = dict(os.environ, TERM="xterm-256color", COLORTERM="truecolor", LANG="C.UTF-8")
            environment.pop("TMUX", None)
            os.execve(sparky, [sparky, "--project", str(project)], environment)
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 200, 0, 0))
        self.frames, self.tail = 0, b""

    def read(self, seconds):
        """Takes what comes within so many seconds; whether a frame ended there."""
        ready, _, _ = select.select([self.fd], [], [], seconds)
        try:
            came = os.read(self.fd, 1 << 20) if ready else b""
        except OSError:  # it has left
            return False
        seen = self.tail + came  # a sequence may come in two pieces
        for _ in range(seen.count(b"\x1b[c")):
            os.write(self.fd, b"\x1b[?62;22c")
        ends = seen.count(b"\x1b[?2026l")
        self.tail = seen[max(seen.rfind(b"c") + 1, seen.rfind(b"l") + 1):][-8:]
        self.frames += ends
        return ends > 0

    def settle(self, seconds):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.read(min(0.05, left))

    def processor_s(self):
        fields = Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def waited_ms(self):
        """How long the studio's thread for keys, and this one, were ready to run and had no processor."""
        fields = [Path(f"/proc/{pid}/schedstat").read_text().split() for pid in (self.pid, "self")]
        return sum(int(f[1]) for f in fields) / 1e6

    def key(self, key):
        """Milliseconds until a frame has come, and how many of them were spent waiting for a processor."""
        waited = self.waited_ms()
        begin = time.perf_counter()
        os.write(self.fd, key)
        while not self.read(1):
            assert time.perf_counter() - begin < 5, f"nothing came for {key}"
        took = (time.perf_counter() - begin) * 1000
        return took, self.waited_ms() - waited


def fill(project, jobs, pictures):
    for i in range(pictures):
        png(project / f"outputs/p{i % 100}/{i}.png", f"a red dragon {i}", i)
    if jobs == 0:
        return
    import zmq
    from sparky_client.messages import pack
    socket = zmq.Context().socket(zmq.DEALER)
    socket.connect(f"ipc://{project}/.sparky/sock")
    requests = [pack("pause_queue", {"paused": True})]
    requests += [pack("submit_job", {"id": f"job-{i}", "kind": "snap", "request": {"inputs": ["x.png"]}})
                 for i in range(jobs)]
    under_way = 0
    while requests or under_way:
        while requests and under_way < 500:
            socket.send_multipart([b"", requests.pop(0)])
            under_way += 1
        assert b"error" not in socket.recv_multipart()[1]
        under_way -= 1


# Work for a minute or two: something begins and ends a few times a second.
PLAN = """
[plan]
name = "Busy"
[[orchestrator]]
id = "all"
""" + "".join(f"""
[[workstream]]
id = "WS-{i:03}"
name = "Sleeps"
orchestrator = "all"
run = "sleep 1"
[[workstream.criteria]]
text = "it is well"
check = "true"
""" for i in range(400))


def watch(studio, name, keys, seconds, held=None):
    """What the studio does on its own, or while a key is held down that repeats sixty times a second."""
    os.write(studio.fd, keys)
    studio.settle(3)
    before, frames, began = studio.processor_s(), studio.frames, time.monotonic()
    for i in range(seconds * 60 if held else 0):
        os.write(studio.fd, held)
        studio.settle(began + (i + 1) / 60 - time.monotonic())
    studio.settle(began + seconds - time.monotonic())
    took = time.monotonic() - began
    print(f"{name:40} {100 * (studio.processor_s() - before) / took:8.2f} % {(studio.frames - frames) / took:16.1f}",
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sparky", required=True)
    parser.add_argument("--jobs", type=int, default=0)
    parser.add_argument("--pictures", type=int, default=2000, help="at least 1200: a hundred lines of them")
    parser.add_argument("--idle", type=int, default=20, help="seconds that each screen is watched")
    args = parser.parse_args()
    sparky = str(Path(args.sparky).resolve())
    project = Path(tempfile.mkdtemp(prefix="sparky-keys-"))
    (project / ".sparky").mkdir(mode=0o700)
    models = (Path(sparky).parent / "sparky-sprite").exists() and tiny_model(sparky, project / ".sparky")
    if models:
        os.environ["SPARKY_MODELS"] = str(models)
    daemon = subprocess.Popen([sparky, "--project", str(project), "serve", "--req", "none", "--pub", "none", "--events",
                               "none", "--http", "none"], stderr=subprocess.DEVNULL)
    studio = None
    try:
        while not (project / ".sparky/sock").exists():
            time.sleep(0.05)
        fill(project, args.jobs, args.pictures)
        studio = Studio(sparky, project)
        studio.settle(3)
        os.write(studio.fd, b"\x1b")
        studio.settle(1)
        print(f"{'what':32} {'median ms':>10} {'worst ms':>10} {'waiting':>8}   worst without waiting")
        walks = [("a letter into the prompt", b"1", [b"a", b"b", b"c"]), ("down in the gallery", b"4", [b"j"]),
                 ("right in the gallery", b"4", [b"\x1b[C"]), ("another screen", b"7", [b"8", b"7"]),
                 ("down in the settings", b"7", [b"j", b"k"])]
        if args.jobs:
            walks.append(("down in the queue", b"3", [b"j"]))
        for name, screen, keys in walks:
            os.write(studio.fd, b"\x1b")  # out of the prompt
            studio.settle(0.3)
            os.write(studio.fd, screen)
            studio.settle(4)
            times = []
            for i in range(100):
                times.append(studio.key(keys[i % len(keys)]))
                studio.settle(0.03)
            times.sort()
            own = max(took - waited for took, waited in times)
            print(f"{name:32} {times[50][0]:10.1f} {times[-1][0]:10.1f} {times[-1][1]:8.1f} {own:10.1f}", flush=True)
        print(f"\n{'while':40} {'of a core':>10} {'frames a second':>16}")
        for name, keys in (("Help", b"8"), ("Generation", b"1"), ("Gallery", b"\x1b4"), ("Queue", b"3"), ("Monitor", b"6"),
                           ("Settings", b"7")):
            watch(studio, f"idle on {name}", keys, args.idle)
        watch(studio, "a key is held: Gallery, right", b"4", 10, b"\x1b[C")
        watch(studio, "a key is held: Gallery, down", b"\x1b[H", 10, b"j")
        (project / "plan.toml").write_text(PLAN)
        os.write(studio.fd, b"9")
        studio.settle(1)
        os.write(studio.fd, b"Rplan.toml\r")
        for name, keys in (("Plan", b""), ("Gantt", b"g"), ("Monitor", b"g6"), ("Generation", b"1\x1b")):
            watch(studio, f"a plan runs: {name}", keys, args.idle)
        if models and not args.jobs:  # which hold the queue
            os.write(studio.fd, b"1\x15a red dragon" + b"\t" * 5 + b"\x15200" + b"\t" * 3 + b"\x15200\r")
            watch(studio, "a picture is drawn: Generation", b"", 10)
            watch(studio, "a picture is drawn: Queue", b"\x1b3", 10)
            os.write(studio.fd, b"1\x1bx")
        os.write(studio.fd, b"q")
        studio.settle(1)
    finally:
        daemon.terminate()
        daemon.wait()
        shutil.rmtree(project, ignore_errors=True)


if __name__ == "__main__":
    main()
