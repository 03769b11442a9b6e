#!/usr/bin/env python3
"""SIGKILL to daemon, warden and workers at random moments while jobs pour in.

    scripts/kill_jobs.py --sparky build/release/bin/sparky --jobs 5000 --kills 60 [--seed N] [--keep]

Most jobs append their id to a file, under workers started by hand; every fifth cleans a picture, under the daemon's own
worker, which is the warden's child and dies with it. At the end:
  - every job that was accepted has ended, and in the journal it ended exactly once;
  - it ran at least once, and no more often than it was given to a worker;
  - only a job that was lost with three workers may have failed, and it says so;
  - a client that followed the events through every crash saw each one, in order, none twice;
  - the journal verifies, and no process is left.
"""
import argparse
import collections
import os
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from daemon import Daemon, until  # noqa: E402

WORKERS, LEASES = 3, 4
PICTURE = Path(__file__).resolve().parents[1] / "src/pixel/fixtures/swamp_dragon.png"


class Witness(threading.Thread):
    """A client that wants the whole story, whatever happens to the daemon."""

    def __init__(self, daemon):
        super().__init__(daemon=True)
        self.daemon_, self.heard, self.done = daemon, [], threading.Event()

    def run(self):
        while not self.done.is_set():
            try:
                with self.daemon_.client(timeout_s=1) as client:
                    for event in client.events(after=len(self.heard), timeout_s=2):
                        self.heard.append(event)
                        if self.done.is_set():
                            return
            except Exception:  # killed just now
                time.sleep(0.05)


class Trial:
    def __init__(self, options):
        self.options, self.rng = options, random.Random(options.seed)
        self.daemon = Daemon(options.sparky)
        self.workers = {}
        self.kills, self.victims = collections.Counter(), []
        self.accepted = []

    def start_worker(self, number):
        self.workers[number] = subprocess.Popen(
            [self.daemon.sparky, "--project", str(self.daemon.project), "worker", "--name", f"w{number}", "--leases",
             str(LEASES)], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, cwd=self.daemon.project)

    def kill_something(self):
        # Each in turn, in an order that the seed gives: none is left out.
        if not self.victims:
            self.victims = self.rng.sample(("daemon", "worker", "warden"), 3)
        victim = self.victims.pop()
        self.kills[victim] += 1
        if victim == "daemon":
            self.daemon.kill()
            self.daemon.start()
        elif victim == "worker":
            number = self.rng.randrange(WORKERS)
            self.workers[number].kill()
            self.workers[number].wait()
            self.start_worker(number)
        else:
            wardens = until(lambda: self.daemon.processes(r"sparky-warden"), "there is a warden", 30)
            for pid in wardens:
                os.kill(pid, 9)

    def submit(self, number):
        job = {"id": f"j{number}", "kind": "exec", "request": {"command": f"echo j{number} >> ran; sleep 0.0{number % 3}"}}
        if number % 5 == 4:
            job.update(kind="clean", request={"inputs": [str(PICTURE)], "steps": [{"do": "trim"}]})
        for _ in range(60):
            try:
                with self.daemon.client(timeout_s=2) as client:
                    client.ask("submit_job", **job)
                self.accepted.append(job["id"])
                return
            except Exception as error:  # killed just now, or no worker is known yet: the same request again
                last = error
                time.sleep(0.1)
        raise AssertionError(f"job {number} is not accepted: {last}")

    def ended(self, client):
        jobs = client.ask("list_jobs")["jobs"]
        return jobs if all(job["state"] not in ("queued", "running") for job in jobs) else None

    def run(self):
        self.daemon.start()
        for number in range(WORKERS):
            self.start_worker(number)
        witness = Witness(self.daemon)
        witness.start()
        moments = sorted(self.rng.sample(range(self.options.jobs), self.options.kills))
        for number in range(self.options.jobs):
            self.submit(number)
            if moments and moments[0] == number:
                moments.pop(0)
                self.kill_something()
        with self.daemon.client() as client:
            jobs = until(lambda: self.ended(client), "every job has ended", 300)
            newest = client.ask("hello")["newest"]
        until(lambda: len(witness.heard) >= newest, "the witness has heard everything", 60)
        witness.done.set()
        self.judge({job["id"]: job for job in jobs}, witness.heard)

    def judge(self, jobs, events):
        assert sorted(jobs) == sorted(self.accepted), "an accepted job is gone, or one is there that nobody asked for"
        ran = collections.Counter((self.daemon.project / "ran").read_text().split())
        tries, failed = 0, 0
        for name, job in jobs.items():
            tries += job["tries"]
            if job["state"] == "failed":
                failed += 1
                assert "lost with its worker 3 times" in job.get("error", ""), job
            else:
                assert job["state"] == "completed", job
                if job["kind"] == "exec":
                    assert 1 <= ran[name] <= job["tries"], (job, ran[name])
                else:
                    assert Path(job["result"]["image_path"]).read_bytes()[:4] == b"\x89PNG", job
        assert [event.seq for event in events] == list(range(1, len(events) + 1)), "the witness missed or repeated events"
        ends = collections.Counter(event.data["job"] for event in events
                                   if event.event == "job-staged" and event.data["state"] in ("completed", "failed"))
        assert len(ends) == len(jobs) and set(ends.values()) == {1}, "a job did not end exactly once"
        self.daemon.stop()
        self.daemon.run("journal", "verify")
        for worker in self.workers.values():
            worker.terminate()
            worker.wait()
        until(lambda: not self.daemon.processes(r"sparky-warden|/bin/sh"), "no process is left", 60)
        print(f"{len(jobs)} jobs, {tries} attempts, {failed} failed with their third worker, {len(events)} events, "
              f"kills: {dict(self.kills)}, seed {self.options.seed}")

    def clean(self):
        for worker in self.workers.values():
            worker.kill()
            worker.wait()
        if self.daemon.process.poll() is None:
            self.daemon.kill()
        self.daemon.end_strays()
        if not self.options.keep:
            shutil.rmtree(self.daemon.project, ignore_errors=True)
        else:
            print(f"kept: {self.daemon.project}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sparky", default="build/release/bin/sparky")
    parser.add_argument("--jobs", type=int, default=5000)
    parser.add_argument("--kills", type=int, default=60)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--keep", action="store_true", help="leave the project for a look")
    options = parser.parse_args()
    trial = Trial(options)
    try:
        trial.run()
    except BaseException:
        print(f"seed {options.seed}", file=sys.stderr)
        raise
    finally:
        trial.clean()


if __name__ == "__main__":
    main()
