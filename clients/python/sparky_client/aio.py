"""The asyncio client: the same requests, awaited."""
from __future__ import annotations

import asyncio
from typing import Any, AsyncIterator, Callable, Optional

import zmq
import zmq.asyncio

from .messages import (DEFAULT_PUB, DEFAULT_REQ, ENDED, JobFailed, JobResult, Progress, Unreachable, checked, pack, read,
                       unpack)
from .requests import Requests


class AsyncClient(Requests):
    """`await client.generate("a red dragon")`. Requests may overlap: each waits for its own reply."""

    def __init__(self, req: str = DEFAULT_REQ, pub: str = DEFAULT_PUB, timeout_s: float = 5.0):
        self.req_address, self.pub_address, self.timeout_s = req, pub, timeout_s
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
        self._context.term()

    async def _ask(self, type_: str, values: dict[str, Any], parse: Callable[[dict[str, Any]], Any]) -> Any:
        async with self._lock:
            if self._socket is None:
                self._socket = self._context.socket(zmq.REQ)
                self._socket.setsockopt(zmq.LINGER, 0)
                self._socket.connect(self.req_address)
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
        socket = self._context.socket(zmq.SUB)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        socket.connect(self.pub_address)
        try:
            while True:
                yield unpack(await socket.recv())
        finally:
            socket.close(0)

    async def wait(self, job_id: str, on_progress: Optional[Callable[[Progress], None]] = None) -> JobResult:
        """Waits for a job's end. Raises JobFailed if it fails or is cancelled."""
        socket = self._context.socket(zmq.SUB)
        socket.setsockopt(zmq.LINGER, 0)
        socket.setsockopt(zmq.SUBSCRIBE, b"")
        socket.connect(self.pub_address)
        try:
            while True:
                state = await self.job(job_id)
                if isinstance(state, JobResult):
                    return state
                if state.status in ENDED:
                    raise JobFailed(job_id, f"job {job_id} {state.status}", state.status)
                while await socket.poll(500):
                    update = unpack(await socket.recv())
                    if update.get("job_id") != job_id:
                        continue
                    if update["type"] == "progress" and on_progress:
                        on_progress(read(Progress, update))
                    if update["type"] in ("job_finished", "job_complete"):
                        break
        finally:
            socket.close(0)
