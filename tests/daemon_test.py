#!/usr/bin/env python3
"""The daemon from outside: idempotency keys, /metrics and /healthz, a slow disk, a crowd, a subscriber that never reads.

    tests/daemon_test.py SPARKY [SLOW_DISK_LIBRARY]
"""
import os
import resource
import subprocess
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

import msgpack
import zmq

sys.path.insert(0, str(Path(__file__).parent / "support"))
from daemon import Daemon, until  # noqa: E402

SPARKY, SLOW_DISK = "build/release/bin/sparky", None
JOB = {"kind": "exec", "request": {"command": "true"}}


class Worker:
    """`sparky worker` for jobs of kind exec."""

    def __init__(self, daemon, leases=4):
        self.process = subprocess.Popen([SPARKY, "--project", str(daemon.project), "worker", "--leases", str(leases)],
                                        stderr=subprocess.DEVNULL, cwd=daemon.project)
        with daemon.client() as client:
            until(lambda: client.ask("list_workers")["workers"], "the worker is connected")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.process.terminate()
        self.process.wait()


class Keys(unittest.TestCase):
    def test_a_request_with_a_key_is_done_once_and_answered_again_also_after_a_crash(self):
        with Daemon(SPARKY) as daemon, Worker(daemon), daemon.client() as client:
            first = client.ask("submit_job", key="k1", **JOB)
            self.assertEqual(client.ask("submit_job", key="k1", **JOB), first)
            other = client.ask("submit_job", key="k2", **JOB)
            self.assertNotEqual(other["job_id"], first["job_id"])
            with self.assertRaisesRegex(Exception, "belongs to another request"):
                client.ask("submit_job", key="k1", kind="exec", request={"command": "false"})
            until(lambda: client.ask("list_jobs", state="completed")["jobs"], "a job is done")
            client.ask("clear_jobs", key="k3")
            client.ask("pause_queue", paused=True, key="k4")
            daemon.kill()
            daemon.start()
            with daemon.client() as again:
                self.assertEqual(again.ask("submit_job", key="k1", **JOB), first)
                again.ask("pause_queue", paused=False)
                again.ask("pause_queue", paused=True, key="k4")
                self.assertFalse(again.ask("list_jobs")["paused"], "a repeated pause is not done again")
                # What was refused was not done, and may be asked for again.
                for _ in range(2):
                    with self.assertRaisesRegex(Exception, "no job"):
                        again.ask("retry_job", id="nobody", key="k5")


class Line(unittest.TestCase):
    def test_jobs_that_wait_are_moved_and_their_order_outlives_a_crash(self):
        def line(client):
            jobs = [j for j in client.ask("list_jobs")["jobs"] if j["state"] == "queued"]
            return [j["id"] for j in sorted(jobs, key=lambda j: j["position"])]

        with Daemon(SPARKY) as daemon, Worker(daemon, leases=1), daemon.client() as client:
            client.ask("pause_queue", paused=True)
            for name in "abc":
                client.ask("submit_job", id=name, kind="exec", request={"command": f"echo {name} >> order"})
            client.ask("move_job", id="c")
            client.ask("move_job", id="a", last=True)
            self.assertEqual(line(client), ["c", "b", "a"])
            daemon.run("job", "move", "b", "--before", "c")
            self.assertEqual(line(client), ["b", "c", "a"])
            for wrong, message in (({"id": "x"}, "no job 'x'"), ({"id": "a", "before": "b", "last": True}, "exclude")):
                with self.assertRaisesRegex(Exception, message):
                    client.ask("move_job", **wrong)
            daemon.kill()
            daemon.start()
            with daemon.client() as again:
                self.assertEqual(line(again), ["b", "c", "a"])
                again.ask("pause_queue", paused=False)
                until(lambda: len(again.ask("list_jobs", state="completed")["jobs"]) == 3, "all are done")
                with self.assertRaisesRegex(Exception, "is completed"):
                    again.ask("move_job", id="a")
            self.assertEqual((daemon.project / "order").read_text().split(), ["b", "c", "a"])


class Serve(unittest.TestCase):
    def test_a_second_daemon_is_refused_and_leaves_the_first_ones_words_alone(self):
        with Daemon(SPARKY) as daemon:
            daemon.stop()
            (daemon.project / ".sparky").chmod(0o755)
            daemon.run("serve", "--detach", "--req", "none", "--pub", "none", "--events", "none", "--http", "none")
            self.assertEqual((daemon.project / ".sparky").stat().st_mode & 0o777, 0o700)
            log = daemon.project / ".sparky" / "serve.log"
            with log.open("a") as words:
                words.write("the first one's words\n")
            second = daemon.run("serve", "--detach", check=False)
            self.assertEqual(second.returncode, 1)
            self.assertIn("in use by another Sparky", second.stderr)
            self.assertNotIn("the first one's words", second.stderr)
            self.assertTrue(log.read_text().startswith("the first one's words"))
            self.assertIn("answers in", daemon.run("doctor"))
            daemon.end_strays()


class Workers(unittest.TestCase):
    def test_one_that_is_told_to_end_says_farewell(self):
        with Daemon(SPARKY) as daemon, daemon.client() as client:
            worker = subprocess.Popen([SPARKY, "--project", str(daemon.project), "worker"], stderr=subprocess.PIPE,
                                      cwd=daemon.project, text=True)
            until(lambda: client.ask("list_workers")["workers"], "it is connected")
            worker.terminate()
            words = worker.communicate(timeout=60)[1]
            self.assertEqual(worker.returncode, 0, words)
            until(lambda: not client.ask("list_workers")["workers"], "it is gone")
            left = [event["data"] for event in client.ask("read_events", after=0)["events"]
                    if event["event"] == "worker-left"]
            self.assertEqual(left[0]["note"], "it was told to end")

    def test_one_that_nobody_answers_says_so(self):
        with subprocess.Popen([SPARKY, "worker", "--connect", "tcp://127.0.0.1:1"], stderr=subprocess.PIPE,
                              text=True) as worker:
            limit = threading.Timer(60, worker.kill)
            limit.start()
            line = worker.stderr.readline()
            limit.cancel()
            worker.terminate()
        self.assertIn("no answer from tcp://127.0.0.1:1", line)


class Observability(unittest.TestCase):
    def get(self, daemon, path):
        with urllib.request.urlopen(daemon.address("http") + path, timeout=10) as reply:
            return reply.read().decode()

    def test_metrics_and_health(self):
        with Daemon(SPARKY) as daemon, Worker(daemon), daemon.client() as client:
            ids = [client.ask("submit_job", **JOB)["job_id"] for _ in range(3)]
            ids.append(client.ask("submit_job", kind="exec", request={"command": "exit 3"})["job_id"])
            for job in ids:
                until(lambda: client.ask("show_job", id=job)["job"]["state"] in ("completed", "failed"), job)
            plan = daemon.project / "plan.toml"
            plan.write_text('[plan]\nname = "p"\n[[orchestrator]]\nid = "o"\nname = "o"\n[[workstream]]\nid = "A"\nname = "A"\n'
                            'orchestrator = "o"\nrun = "true"\n[[workstream.criteria]]\ntext = "t"\ncheck = "true"\n')
            client.ask("start_run", plan=str(plan))
            wanted = ['sparky_jobs{state="completed"} 3', 'sparky_jobs{state="failed"} 1',
                      'sparky_workstreams{state="completed"} 1', "sparky_completion_ratio 1", "sparky_warden_up 1",
                      'sparky_workers{state="idle"} 1', "dgx_pixels_active_jobs 0", "dgx_pixels_queue_depth 0",
                      'sparky_job_seconds_count{kind="exec"} 4', "sparky_queue_depth 0",
                      'zmq_messages_received_total{endpoint="requests",message_type="submit_job"} 4',
                      'zmq_messages_sent_total{endpoint="requests",message_type="job_accepted"} 4',
                      'sparky_attempts_total{outcome="exited"}', "sparky_commit_seconds_count",
                      'zmq_message_latency_seconds_count{endpoint="requests"}']
            text = ""

            def complete():
                nonlocal text
                text = self.get(daemon, "/metrics")
                return all(line in text for line in wanted)
            try:
                until(complete, "all figures", 20)
            except AssertionError:
                self.fail("missing: %s" % [line for line in wanted if line not in text])
            checked = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
            self.assertIn('"status":"ok"', self.get(daemon, "/healthz"))
            with self.assertRaises(urllib.error.HTTPError):
                self.get(daemon, "/nothing")

    def test_a_port_that_is_taken_is_said(self):
        with Daemon(SPARKY) as daemon, Daemon(SPARKY) as other:
            other.stop()
            taken = daemon.address("http").removeprefix("http://")
            done = other.run("serve", "--req", "none", "--pub", "none", "--events", "none", "--http", taken, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertIn("--http none", done.stderr)


class SlowDisk(unittest.TestCase):
    def test_every_request_is_answered_in_time(self):
        if SLOW_DISK is None:
            self.skipTest("no library that slows the disk was given")
        flag = Path("/tmp") / f"sparky-slow-disk-{os.getpid()}"
        slow = {"LD_PRELOAD": SLOW_DISK, "SLOW_DISK_FLAG": str(flag), "SLOW_DISK_SECONDS": "8"}
        with Daemon(SPARKY) as daemon:
            daemon.stop()
            daemon.start(slow)
            with daemon.client() as client, Worker(daemon):
                try:
                    flag.touch()
                    begun = time.monotonic()
                    with self.assertRaisesRegex(Exception, "disk is slow"):
                        client.ask("submit_job", id="j", **JOB)
                    self.assertLess(time.monotonic() - begun, 5, "an original client would have given up")
                    begun = time.monotonic()
                    for _ in range(20):
                        client.ping()
                        client.status()
                    self.assertLess(time.monotonic() - begun, 8)
                finally:
                    flag.unlink()
                until(lambda: self.asked_again(client), "the same request is accepted once the disk is quick", 30)
                until(lambda: client.ask("show_job", id="j")["job"]["state"] == "completed", "and done", 30)
                self.assertEqual(len(client.ask("list_jobs")["jobs"]), 1, "once")

    def asked_again(self, client):
        try:
            return client.ask("submit_job", id="j", **JOB)["job_id"] == "j"
        except Exception as error:
            if "disk is slow" not in str(error):
                raise
            return False


class Crowd(unittest.TestCase):
    CLIENTS = 1000

    def test_a_thousand_clients_at_once(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
        with Daemon(SPARKY) as daemon, Worker(daemon, 8):
            context = zmq.Context(2)
            context.set(zmq.MAX_SOCKETS, 4096)
            poller = zmq.Poller()
            sockets = []
            for _ in range(self.CLIENTS):
                socket = context.socket(zmq.REQ)
                socket.setsockopt(zmq.LINGER, 0)
                socket.connect(daemon.address("requests"))
                poller.register(socket, zmq.POLLIN)
                sockets.append(socket)
            for number, socket in enumerate(sockets):
                socket.send(msgpack.packb({"type": "submit_job", "id": f"crowd-{number}", **JOB}))
            answered = set()
            end = time.monotonic() + 60
            while len(answered) < self.CLIENTS and time.monotonic() < end:
                for socket, _ in poller.poll(1000):
                    reply = msgpack.unpackb(socket.recv())
                    self.assertEqual(reply["type"], "job_accepted", reply)
                    answered.add(reply["job_id"])
            self.assertEqual(len(answered), self.CLIENTS, "each got the reply to its own request")
            with daemon.client() as client:
                until(lambda: len(client.ask("list_jobs", state="completed")["jobs"]) == self.CLIENTS, "all are done", 90)
            context.destroy(0)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    def resident(self, daemon):
        fields = Path(f"/proc/{daemon.process.pid}/statm").read_text().split()
        return int(fields[1]) * os.sysconf("SC_PAGESIZE")

    def test_a_subscriber_that_never_reads_costs_a_bounded_memory_and_nobody_else_anything(self):
        with Daemon(SPARKY) as daemon, Worker(daemon, 8):
            context = zmq.Context()
            deaf = context.socket(zmq.SUB)
            deaf.setsockopt(zmq.RCVHWM, 1)
            deaf.setsockopt(zmq.SUBSCRIBE, b"")
            deaf.connect(daemon.address("events"))
            heard = []

            def listen():
                with daemon.client() as client:
                    for event in client.events(after=0, timeout_s=20):
                        heard.append(event.seq)
                        if event.event == "queue-paused":
                            return
            listener = threading.Thread(target=listen)
            listener.start()
            with daemon.client() as client:
                before = self.resident(daemon)
                socket = context.socket(zmq.DEALER)
                socket.connect(daemon.address("requests"))
                big = {"kind": "exec", "request": {"command": "true # " + "x" * 4000}}
                for number in range(3000):
                    socket.send_multipart([b"", msgpack.packb({"type": "submit_job", "id": f"d{number}", **big})])
                for _ in range(3000):
                    self.assertEqual(msgpack.unpackb(socket.recv_multipart()[-1])["type"], "job_accepted")
                client.ask("pause_queue", paused=True)
                listener.join(60)
                self.assertFalse(listener.is_alive(), "the other subscriber heard everything")
                self.assertEqual(heard, list(range(1, heard[-1] + 1)), "in order, without gap or duplicate")
                # 3,000 jobs of 4 KB, their events for whoever comes late, and what one deaf subscriber may hold back.
                self.assertLess(self.resident(daemon) - before, 300 << 20)
            context.destroy(0)


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("-") and os.path.exists(word)]
    SPARKY = str(Path(words[0] if words else SPARKY).resolve())
    SLOW_DISK = str(Path(words[1]).resolve()) if len(words) > 1 else None
    sys.argv = [sys.argv[0]] + [word for word in sys.argv[1:] if word not in words]
    unittest.main(verbosity=2)
