"""The Python client against a real daemon: SPARKY names the program, SPARKY_SUPPORT the folder with daemon.py.

    SPARKY=build/release/bin/sparky SPARKY_SUPPORT=tests/support python3 -m unittest discover clients/python/tests
"""
import asyncio
import os
import subprocess
import sys
import threading
import time
import unittest
from pathlib import Path

import msgpack
import zmq

sys.path.insert(0, os.environ.get("SPARKY_SUPPORT", "tests/support"))
from daemon import Daemon, until  # noqa: E402
from sparky_client import AsyncClient, Client, JobFailed, JobResult, Keys, SparkyError, Unreachable  # noqa: E402

SPARKY = os.environ.get("SPARKY", "build/release/bin/sparky")
# A worker that "draws" by a command: progress, then a file that holds the request.
DRAW = "for i in 1 2 3; do echo ::progress 0.$((i*3)) sampling; sleep 0.05; done; cat > $SPARKY_OUTPUT/image.png; %s"


class WithDaemon(unittest.TestCase):
    def setUp(self):
        self.daemon = Daemon(SPARKY)
        self.daemon.start()
        self.addCleanup(self.daemon.__exit__)
        self.client = self.daemon.client()
        self.addCleanup(self.client.close)

    def worker(self, ending="true"):
        process = subprocess.Popen([self.daemon.sparky, "--project", str(self.daemon.project), "worker", "--kind",
                                    "generate", "--model", "m", "--command", DRAW % ending],
                                   stderr=subprocess.DEVNULL, cwd=self.daemon.project)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)
        until(lambda: self.client.ask("list_workers")["workers"], "the worker is there")

    def test_looking(self):
        self.assertTrue(self.client.ping())
        self.assertEqual(self.client.status().version, "1.0.0")
        self.assertEqual(self.client.status().queue_size, 0)
        with self.assertRaisesRegex(SparkyError, "type"):
            self.client.ask("no_such_request")

    def test_generate_wait_and_progress(self):
        self.worker()
        self.assertIn("m", [model.name for model in self.client.models()])
        seen = []
        job = self.client.generate("a knight", "m", seed=3)
        result = self.client.wait(job.job_id, on_progress=lambda p: seen.append(p.percent), timeout_s=30)
        self.assertIn("a knight", Path(result.image_path).read_text())
        self.assertEqual(seen, sorted(seen))
        self.assertIsInstance(self.client.job(job.job_id), JobResult)
        self.assertEqual(result.image_paths, [result.image_path])
        again = self.client.generate("a knight", "m", seed=3, id=job.job_id)
        self.assertEqual(again.job_id, job.job_id)
        with self.assertRaises(JobFailed):
            self.client.generate("another", "m", id=job.job_id)

    def test_a_failed_and_a_cancelled_job_raise(self):
        self.worker("exit 3")
        with self.assertRaises(JobFailed) as failed:
            self.client.wait(self.client.generate("x", "m").job_id, timeout_s=30)
        self.assertEqual(failed.exception.state, "failed")
        self.client.ask("pause_queue", paused=True)
        job = self.client.generate("y", "m").job_id
        self.client.cancel(job)
        with self.assertRaises(JobFailed) as cancelled:
            self.client.wait(job, timeout_s=30)
        self.assertEqual(cancelled.exception.state, "cancelled")

    def test_events_go_on_across_a_crash_without_gap_or_duplicate(self):
        heard = []

        def listen():
            with self.daemon.client(timeout_s=2) as client:
                last = 0
                while not heard or heard[-1].event != "job-staged":
                    try:
                        for event in client.events(after=last, timeout_s=3):
                            heard.append(event)
                            last = event.seq
                            if event.event == "job-staged":
                                break
                    except Unreachable:
                        time.sleep(0.1)
        listener = threading.Thread(target=listen)
        listener.start()
        self.client.ask("pause_queue", paused=True)
        self.daemon.kill()
        self.client.close()
        self.daemon.start()
        with self.daemon.client() as client:
            self.client = client
            self.worker()
            client.ask("pause_queue", paused=False)
            client.generate("z", "m")
            listener.join(30)
        self.assertFalse(listener.is_alive())
        self.assertEqual([event.seq for event in heard], list(range(1, heard[-1].seq + 1)))

    def test_nobody_there(self):
        self.daemon.stop()
        with self.daemon.client(timeout_s=0.3) as client, self.assertRaisesRegex(Unreachable, "sparky serve"):
            client.ping()

    def test_other_machines_come_in_by_key(self):
        self.client.close()
        self.daemon.stop()
        keys = self.daemon.project / "laptop.json"
        keys.write_text(self.daemon.run("keys", "add", "laptop", "--role", "observe"))
        self.daemon.ports = dict.fromkeys(("requests", "updates", "events"), "tcp://0.0.0.0:0")
        self.daemon.start()
        for name in ("requests", "updates", "events"):
            self.daemon.ports[name] = self.daemon.ports[name].replace("0.0.0.0", "127.0.0.1")
        with self.daemon.client(timeout_s=0.5) as stranger, self.assertRaises(Unreachable):
            stranger.ping()
        with self.daemon.client(keys=Keys(keys)) as client:
            self.assertTrue(client.ping())
            with self.assertRaisesRegex(SparkyError, "submit"):
                client.generate("a knight", "m")
            self.assertEqual(next(client.events(after=0)).seq, 1)

        async def look():
            async with AsyncClient(self.daemon.address("requests"), keys=Keys(keys)) as client:
                return await client.ping()
        self.assertTrue(asyncio.run(asyncio.wait_for(look(), 30)))
        with self.assertRaisesRegex(SparkyError, "key file"):
            Keys(self.daemon.project / ".sparky/keys/server.json")

    def test_asyncio(self):
        self.worker()

        async def day():
            async with AsyncClient(*map(self.daemon.address, ("requests", "updates", "events"))) as client:
                replies = await asyncio.gather(*(client.ping() for _ in range(20)))
                jobs = [await client.generate(f"knight {n}", "m") for n in range(3)]
                results = await asyncio.gather(*(client.wait(job.job_id) for job in jobs))
                seen = []
                async for event in client.events(after=0):
                    seen.append(event.seq)
                    if event.event == "queue-paused":
                        break
                    if len(seen) == 1:
                        await client.ask("pause_queue", paused=True)
                self.assertEqual(seen, list(range(1, len(seen) + 1)))
                return replies, results
        replies, results = asyncio.run(asyncio.wait_for(day(), 60))
        self.assertEqual(replies, [True] * 20)
        self.assertEqual([f"knight {n}" in Path(r.image_path).read_text() for n, r in enumerate(results)], [True] * 3)


class Busy(threading.Thread):
    """Stands for a daemon whose updates are all about another job; this one's end was told before anybody listened."""

    def __init__(self, running_for):
        super().__init__(daemon=True)
        context = zmq.Context.instance()
        self.requests, self.updates = context.socket(zmq.REP), context.socket(zmq.PUB)
        self.req, self.pub = (f"tcp://127.0.0.1:{s.bind_to_random_port('tcp://127.0.0.1')}" for s in
                              (self.requests, self.updates))
        self.running_for, self.ended = running_for, threading.Event()

    def run(self):
        other = msgpack.packb({"type": "progress", "job_id": "other", "stage": "sampling", "percent": 1.0})
        while not self.ended.is_set():
            self.updates.send(other)
            if self.requests.poll(20):
                self.requests.recv()
                self.running_for -= 1
                self.requests.send(msgpack.packb(
                    {"type": "status", "job_id": "j", "status": "running"} if self.running_for >= 0 else
                    {"type": "result", "image_path": "/i.png", "metadata": {"image_paths": ["/i.png", "/k.png"]}}))
        self.requests.close(0)
        self.updates.close(0)


class Waiting(unittest.TestCase):
    def busy(self, running_for):
        busy = Busy(running_for)
        busy.start()
        self.addCleanup(busy.join)
        self.addCleanup(busy.ended.set)
        return busy

    def test_an_end_that_was_missed_is_found_while_others_updates_stream(self):
        busy = self.busy(2)
        with Client(busy.req, busy.pub) as client:
            self.assertEqual(client.wait("j").image_paths, ["/i.png", "/k.png"])

    def test_so_it_is_with_asyncio(self):
        busy = self.busy(2)

        async def wait():
            async with AsyncClient(busy.req, busy.pub) as client:
                return await client.wait("j")
        self.assertEqual(asyncio.run(asyncio.wait_for(wait(), 60)).image_path, "/i.png")

    def test_the_time_is_over_also_while_updates_stream(self):
        busy = self.busy(1_000_000)
        with Client(busy.req, busy.pub) as client, self.assertRaisesRegex(Unreachable, "did not end"):
            client.wait("j", timeout_s=0.1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
