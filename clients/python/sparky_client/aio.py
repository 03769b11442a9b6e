"""The asyncio client: the same requests, awaited."""
from __future__ import annotations

import asyncio
import time
from typing import Any, AsyncIterator, Callable, Optional

import zmq
import zmq.asyncio

from .messages import (DEFAULT_EVENTS, DEFAULT_PUB, DEFAULT_REQ, ENDED, Event, JobFailed, JobResult, Keys, Progress,
                       Unreachable, checked, pack, read, unpack)
from .requests import Requests


class AsyncClient(Requests):
    """`await client.generate("a red dragon")`. Requests may overlap: each waits for its own reply."""

    def __init__(self, req: str = DEFAULT_REQ, pub: str = DEFAULT_PUB, events: str = DEFAULT_EVENTS,
                 timeout_s: float = 5.0, keys: Optional[Keys] = None):
        self.req_address, self.pub_address, self.events_address = req, pub, events
        self.timeout_s, self.keys = timeout_s, keys
        self._context = zmq.asyncio.Context()
        self._socket: Optional[zmq.asyncio.Socket] = None
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.close()

    async def close(self) -> None:
        if self._socket is not None:
            self._socket.close(0)
            self._socket = None
        self._context.destroy(0)  # also the sockets of loops over events that were left

    async def _ask(self, type_: str, values: dict[str, Any], parse: Callable[[dict[str, Any]], Any]) -> Any:
        async with self._lock:
            if self._socket is None:
                self._socket = self._open(zmq.REQ, self.req_address)
            try:
                await self._socket.send(pack(type_, values))
                frame = await asyncio.wait_for(self._socket.recv(), self.timeout_s)
            except BaseException as error:  # also cancellation: the socket still owes a reply and cannot be used again
                self._socket.close(0)
                self._socket = None
                if isinstance(error, (asyncio.TimeoutError, TimeoutError)):
                    raise Unreachable(f"no reply from {self.req_address} within {self.timeout_s} s",
                                      "is `sparky serve` running? `sparky doctor` says") from None
                raise
        return parse(checked(unpack(frame)))

    async def updates(self) -> AsyncIterator[dict[str, Any]]:
        """The compatible updates, as they come."""
        socket = self._open(zmq.SUB, self.pub_address)
        try:
            while True:
                yield unpack(await socket.recv())
        finally:
            socket.close(0)

    async def wait(self, job_id: str, on_progress: Optional[Callable[[Progress], None]] = None) -> JobResult:
        """Waits for a job's end. Raises JobFailed if it fails or is cancelled."""
        socket = self._open(zmq.SUB, self.pub_address)
        try:
            while True:
                state = await self.job(job_id)
                if isinstance(state, JobResult):
                    return state
                if state.status in ENDED:
                    raise JobFailed(job_id, f"job {job_id} {state.status}", state.status)
                ask_again = time.monotonic() + 0.5  # also while others' updates stream: this job's end may be missed
                while time.monotonic() < ask_again and await socket.poll(500):
                    update = unpack(await socket.recv())
                    if update.get("job_id") != job_id:
                        continue
                    if update["type"] == "progress" and on_progress:
                        on_progress(read(Progress, update))
                    if update["type"] in ("job_finished", "job_complete"):
                        break
        finally:
            socket.close(0)

    async def events(self, after: Optional[int] = None) -> AsyncIterator[Event]:
        """Every event after number `after` (None: from now on), in order, without gap or duplicate, also across
        restarts of the daemon."""
        socket = self._open(zmq.SUB, self.events_address)
        try:
            last = after if after is not None else (await self.ask("hello"))["newest"]
            while True:
                caught_up = False
                while not caught_up:
                    part = await self.ask("read_events", after=last)
                    for raw in part["events"]:
                        yield read(Event, raw)
                    last, caught_up = part["after"], part["after"] >= part["newest"]
                gap = False
                while not gap:
                    message = unpack(await socket.recv())
                    newest = message["newest"] if message["type"] == "heartbeat" else message["seq"]
                    if message["type"] == "event" and message["seq"] == last + 1:
                        last = message["seq"]
                        yield read(Event, message)
                    elif newest > last:
                        gap = True
        finally:
            socket.close(0)
