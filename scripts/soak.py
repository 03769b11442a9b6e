#!/usr/bin/env python3
"""Traffic for some minutes, and a look at the daemon's memory: it must not grow with time.

    scripts/soak.py [MINUTES] [--sparky build/release/bin/sparky]

Clients submit jobs with previews of progress, ask for everything that can be asked, follow the events, disconnect in the
middle, and send garbage; jobs that have ended are cleared, as an operator would. Resident memory is noted every second;
the mean of the last quarter may exceed that of the second by a tenth and 8 MiB.
"""
import argparse
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import zmq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))
from daemon import Daemon  # noqa: E402

LOOKS = ("ping", "status", "list_models", "list_runs", "list_jobs", "list_workers", "inspect")


def traffic(daemon, stop, counts):
    rng = random.Random(threading.get_ident())
    while not stop.is_set():
        with daemon.client() as client:
            for _ in range(rng.randrange(20, 200)):
                if stop.is_set():
                    return
                job = client.ask("submit_job", kind="exec", request={
                    "command": "for i in 1 2 3; do echo ::progress 0.$((i*3)) sampling; done; echo " + "x" * 200})
                client.ask(rng.choice(LOOKS))
                client.ask("show_job", id=job["job_id"])
                counts["requests"] += 3
        socket = zmq.Context.instance().socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 100)
        socket.connect(daemon.address("requests"))
        socket.send_multipart([b"", rng.randbytes(rng.randrange(200))])
        socket.close()


def clearing(daemon, stop):
    with daemon.client() as client:
        while not stop.wait(1):
            client.ask("clear_jobs")


def listening(daemon, stop, counts):
    while not stop.is_set():
        with daemon.client() as client:
            for number, _ in enumerate(client.events(timeout_s=3)):
                counts["events"] += 1
                if number == 5000 or stop.is_set():
                    break


def resident_kib(pid):
    fields = Path(f"/proc/{pid}/statm").read_text().split()
    return int(fields[1]) * os.sysconf("SC_PAGESIZE") // 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", type=float, nargs="?", default=5)
    parser.add_argument("--sparky", default="build/release/bin/sparky")
    options = parser.parse_args()
    counts, stop, sizes = {"requests": 0, "events": 0}, threading.Event(), []
    with Daemon(options.sparky) as daemon:
        worker = subprocess.Popen([daemon.sparky, "--project", str(daemon.project), "worker", "--leases", "4"],
                                  stderr=subprocess.DEVNULL, cwd=daemon.project)
        with daemon.client() as client:
            while not client.ask("list_workers")["workers"]:
                time.sleep(0.1)
        threads = [threading.Thread(target=traffic, args=(daemon, stop, counts)) for _ in range(3)]
        threads += [threading.Thread(target=clearing, args=(daemon, stop)),
                    threading.Thread(target=listening, args=(daemon, stop, counts))]
        for thread in threads:
            thread.start()
        seconds = int(options.minutes * 60)
        for second in range(seconds):
            time.sleep(1)
            sizes.append(resident_kib(daemon.process.pid))
            if second % 10 == 9:
                print(f"{second + 1} of {seconds} s: {sizes[-1] / 1024:.1f} MiB, {counts['requests']} requests, "
                      f"{counts['events']} events heard", flush=True)
        stop.set()
        for thread in threads:
            thread.join(30)
        worker.terminate()
        worker.wait()
    quarter = max(1, len(sizes) // 4)
    early = sum(sizes[quarter:2 * quarter]) / quarter
    late = sum(sizes[-quarter:]) / quarter
    print(f"second quarter {early / 1024:.1f} MiB, last {late / 1024:.1f} MiB")
    if late > early * 1.1 + 8192:
        sys.exit("the daemon's memory grows")


if __name__ == "__main__":
    main()
