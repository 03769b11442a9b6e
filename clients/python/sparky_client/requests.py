"""The requests both clients offer: each is a message and the way to read its reply. `_ask` differs, nothing else."""
from __future__ import annotations

import uuid
from typing import Any, Callable, Optional, Sequence

import zmq

from .messages import JobAccepted, JobResult, JobState, Model, StatusInfo, read


class Requests:
    """`_ask(type, values, parse)` sends one request and gives parse(reply), or in AsyncClient an awaitable of it."""

    def _open(self, kind: int, address: str) -> Any:
        """A socket of this client's context, with its keys; one that subscribes takes everything."""
        socket = self._context.socket(kind)
        socket.setsockopt(zmq.LINGER, 0)
        if self.keys:
            self.keys.use(socket)
        if kind == zmq.SUB:
            socket.setsockopt(zmq.RCVHWM, 0)
            socket.setsockopt(zmq.SUBSCRIBE, b"")
        socket.connect(address)
        return socket

    def _ask(self, type_: str, values: dict[str, Any], parse: Callable[[dict[str, Any]], Any]) -> Any:
        raise NotImplementedError

    def ask(self, type_: str, **values: Any) -> Any:
        """Any request of docs/protocol.md by name; gives the reply as a dict."""
        return self._ask(type_, values, lambda reply: reply)

    def ping(self):
        return self._ask("ping", {}, lambda reply: reply["type"] == "pong")

    def models(self):
        return self._ask("list_models", {}, lambda reply: [read(Model, m) for m in reply["models"]])

    def status(self):
        return self._ask("status", {}, lambda reply: read(StatusInfo, reply))

    def generate(self, prompt: str, model: str = "sprite-32", *, id: Optional[str] = None,
                 size: Optional[Sequence[int]] = None, steps: Optional[int] = None, cfg_scale: Optional[float] = None,
                 lora: Optional[str] = None, batch_size: Optional[int] = None, animation_frames: Optional[int] = None,
                 tileset_grid: Optional[Sequence[int]] = None, seed: Optional[int] = None,
                 colors: Optional[int] = None, negative: Optional[str] = None):
        """Submits a job. Repeating it with the same id and content runs nothing twice."""
        values = {"id": id or f"py-{uuid.uuid4().hex[:12]}", "prompt": prompt, "model": model,
                  "size": list(size) if size else None, "steps": steps, "cfg_scale": cfg_scale, "lora": lora,
                  "batch_size": batch_size, "animation_frames": animation_frames,
                  "tileset_grid": list(tileset_grid) if tileset_grid else None, "seed": seed,
                  "colors": colors, "negative": negative}
        return self._ask("generate", values, lambda reply: read(JobAccepted, reply))

    def submit(self, kind: str, request: dict[str, Any], *, id: Optional[str] = None, model: Optional[str] = None,
               priority: Optional[str] = None, after: Optional[Sequence[str]] = None, retries: Optional[int] = None,
               timeout_s: Optional[float] = None):
        """Puts a job of any kind into the queue. Repeating it with the same id and content runs nothing twice."""
        values = {"id": id or f"py-{uuid.uuid4().hex[:12]}", "kind": kind, "request": request, "model": model,
                  "priority": priority, "after": list(after) if after else None, "retries": retries,
                  "timeout_s": timeout_s}
        return self._ask("submit_job", values, lambda reply: read(JobAccepted, reply))

    def cancel(self, job_id: str):
        return self._ask("cancel", {"job_id": job_id}, lambda reply: reply["job_id"])

    def job(self, job_id: str):
        """JobResult once it is completed, else JobState."""
        return self._ask("get_status", {"job_id": job_id},
                         lambda reply: JobResult.of(reply) if reply["type"] == "result" else read(JobState, reply))
