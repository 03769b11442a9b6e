"""The blocking client."""
from __future__ import annotations

import time
from typing import Any, Callable, Iterator, Optional

import zmq

from .messages import (DEFAULT_EVENTS, DEFAULT_PUB, DEFAULT_REQ, ENDED, Event, JobFailed, JobResult, Keys, Progress,
                       Unreachable, checked, pack, read, unpack)
from .requests import Requests


class Client(Requests):
    """One connection to a daemon. Not for several threads at once: give each its own."""

    def __init__(self, req: str = DEFAULT_REQ, pub: str = DEFAULT_PUB, events: str = DEFAULT_EVENTS,
                 timeout_s: float = 5.0, keys: Optional[Keys] = None):
        self.req_address, self.pub_address, self.events_address = req, pub, events
        self.timeout_s, self.keys = timeout_s, keys
        self._context = zmq.Context()
        self._socket: Optional[zmq.Socket] = None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close(0)
            self._socket = None
        self._context.destroy(0)  # also the sockets of loops over events that were left

    def _ask(self, type_: str, values: dict[str, Any], parse: Callable[[dict[str, Any]], Any]) -> Any:
        if self._socket is None:
            self._socket = self._open(zmq.REQ, self.req_address)
        self._socket.send(pack(type_, values))
        if not self._socket.poll(int(self.timeout_s * 1000)):
            # A REQ socket that waits for a reply can send nothing else: start over with a new one.
            self._socket.close(0)
            self._socket = None
            raise Unreachable(f"no reply from {self.req_address} within {self.timeout_s} s",
                              "is `sparky serve` running? `sparky doctor` says")
        return parse(checked(unpack(self._socket.recv())))

    def updates(self, timeout_s: Optional[float] = None) -> Iterator[dict[str, Any]]:
        """The compatible updates (job_started, progress, preview, job_finished, job_complete), until a quiet timeout."""
        with self._open(zmq.SUB, self.pub_address) as socket:
            while socket.poll(None if timeout_s is None else int(timeout_s * 1000)):
                yield unpack(socket.recv())

    def wait(self, job_id: str, on_progress: Optional[Callable[[Progress], None]] = None,
             timeout_s: Optional[float] = None) -> JobResult:
        """Waits for a job's end. Raises JobFailed if it fails or is cancelled, Unreachable when the time is over."""
        end = None if timeout_s is None else time.monotonic() + timeout_s
        with self._open(zmq.SUB, self.pub_address) as socket:
            while True:
                state = self.job(job_id)  # the truth; updates only say when to ask again
                if isinstance(state, JobResult):
                    return state
                if state.status in ENDED:
                    raise JobFailed(job_id, f"job {job_id} {state.status}", state.status)
                ask_again = time.monotonic() + 0.5  # also while others' updates stream: this job's end may be missed
                while time.monotonic() < ask_again and socket.poll(500):
                    update = unpack(socket.recv())
                    if update.get("job_id") != job_id:
                        continue
                    if update["type"] == "progress" and on_progress:
                        on_progress(read(Progress, update))
                    if update["type"] in ("job_finished", "job_complete"):
                        break
                if end is not None and time.monotonic() > end:
                    raise Unreachable(f"job {job_id} did not end within {timeout_s} s", "it is still queued or running")

    def events(self, after: Optional[int] = None, timeout_s: Optional[float] = None) -> Iterator[Event]:
        """Every event after number `after` (None: from now on), in order, without gap or duplicate, also across
        restarts of the daemon. Ends when nothing, not even a heartbeat, came for timeout_s."""
        with self._open(zmq.SUB, self.events_address) as socket:
            last = after if after is not None else self.ask("hello")["newest"]
            while True:
                caught_up = False
                while not caught_up:
                    part = self.ask("read_events", after=last)
                    for raw in part["events"]:
                        yield read(Event, raw)
                    last, caught_up = part["after"], part["after"] >= part["newest"]
                gap = False
                while not gap:
                    if not socket.poll(None if timeout_s is None else int(timeout_s * 1000)):
                        return
                    message = unpack(socket.recv())
                    newest = message["newest"] if message["type"] == "heartbeat" else message["seq"]
                    if message["type"] == "event" and message["seq"] == last + 1:
                        last = message["seq"]
                        yield read(Event, message)
                    elif newest > last:
                        gap = True
