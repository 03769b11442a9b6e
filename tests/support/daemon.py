"""A real `sparky serve` in a directory of its own, for tests: started, killed, started again."""
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "clients" / "python"))


class Daemon:
    """Use as a context manager. `settings` are lines of sparky.toml, `environment` goes over this process's."""

    def __init__(self, sparky, settings="", environment=None):
        self.sparky = str(Path(sparky).resolve())
        self.project = Path(tempfile.mkdtemp(prefix="sparky-daemon-"))
        self.environment = {**os.environ, **(environment or {})}
        self.process = None
        self.addresses = {}
        (self.project / ".sparky").mkdir(mode=0o700)
        (self.project / "sparky.toml").write_text(settings)
        self.ports = {}

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *exc):
        self.stop()
        self.end_strays()
        shutil.rmtree(self.project, ignore_errors=True)

    def start(self, environment=None):
        """Listens on free ports, and on the same ones when it is started again."""
        command = [self.sparky, "--project", str(self.project), "--json", "serve"]
        for option, name in (("--req", "requests"), ("--pub", "updates"), ("--events", "events"),
                             ("--workers", "workers")):
            command += [option, self.ports.get(name, "tcp://127.0.0.1:0")]
        command += ["--http", self.ports.get("http", "127.0.0.1:0")]
        with open(self.project / "serve.log", "a") as log:
            self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, cwd=self.project,
                                            env={**self.environment, **(environment or {})}, text=True)
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the daemon did not start: " + self.words())
        self.addresses = json.loads(line)["addresses"]
        for name in ("requests", "updates", "events", "workers"):
            self.ports[name] = next(a for a in self.addresses[name] if a.startswith("tcp"))
        self.ports["http"] = self.addresses["http"][0].removeprefix("http://")

    def address(self, name):
        return self.addresses["http"][0] if name == "http" else self.ports[name]

    def words(self):
        return (self.project / "serve.log").read_text()

    def client(self, **options):
        from sparky_client import Client
        return Client(self.address("requests"), self.address("updates"), self.address("events"), **options)

    def run(self, *words, check=True, **options):
        """A command of the same project; gives its standard output."""
        done = subprocess.run([self.sparky, "--project", str(self.project), *map(str, words)], cwd=self.project,
                              env=self.environment, capture_output=True, text=True, timeout=120, **options)
        if check and done.returncode != 0:
            raise AssertionError(f"{words} ended with {done.returncode}: {done.stdout}{done.stderr}")
        return done if not check else done.stdout

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()
                raise AssertionError("the daemon does not end on SIGTERM")
            self.process.stdout.close()

    def processes(self, pattern):
        """Processes of this project whose command line matches; read from /proc."""
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = entry.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                marks = entry.joinpath("environ").read_bytes()
            except OSError:
                continue
            ours = str(self.project) in words or str(self.project).encode() in marks or self.is_cwd(entry)
            if ours and re.search(pattern, words):
                found.append(int(entry.name))
        return found

    def is_cwd(self, entry):
        try:
            return str(entry.joinpath("cwd").resolve()).startswith(str(self.project))
        except OSError:
            return False

    def end_strays(self):
        for pid in self.processes(r"sparky|/bin/sh"):
            if pid != os.getpid():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass


def until(condition, what, limit_s=60):
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError("not within %d s: %s" % (limit_s, what))


def tiny_model(sparky, folder):
    """A model of the real kind, hardly trained, in folder/NAME: made of the fixtures. Gives the models folder."""
    program = Path(sparky).resolve().parent / "sparky-sprite"
    folder = Path(folder)
    recipe = folder / "recipe.toml"
    recipe.write_text('licence = "CC0-1.0"\nseed = 1\ntest_share = 0.1\n'
                      '[[source]]\npath = "mon"\nkind = "monster"\n[[source]]\npath = "item"\nkind = "item"\n')
    quiet = {"check": True, "capture_output": True, "timeout": 300}
    subprocess.run([sparky, "dataset", "build", "--recipe", recipe, ROOT / "src/studio/fixtures", "-o", folder / "data"],
                   **quiet)
    subprocess.run([program, "train", "--dataset", folder / "data", "-o", folder / "run", "--steps", "1", "--batch", "1",
                    "--channels", "16,32,32"], **quiet)
    subprocess.run([program, "export", folder / "run", folder / "models" / "sprite-32"], **quiet)
    return folder / "models"
