"""What goes over the wire, as Python values. One MessagePack map per frame, `type` names the message."""
from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, fields
from typing import Any, Optional, Union

import msgpack
import zmq

DEFAULT_REQ = "tcp://127.0.0.1:5555"
DEFAULT_PUB = "tcp://127.0.0.1:5556"
DEFAULT_EVENTS = "tcp://127.0.0.1:5557"


class Keys:
    """Who this client is, for a daemon on another machine: the file that `sparky keys add NAME` prints."""

    def __init__(self, file: Union[str, "os.PathLike[str]"]):
        with open(file, encoding="utf-8") as text:
            content = json.load(text)
        try:
            self.public, self.secret, self.server = (content[k].encode() for k in ("public", "secret", "server"))
        except (KeyError, TypeError, AttributeError):
            raise SparkyError(f"{file} is no key file of a client", "`sparky keys add NAME` prints one") from None

    def use(self, socket: zmq.Socket) -> None:
        socket.curve_publickey, socket.curve_secretkey, socket.curve_serverkey = self.public, self.secret, self.server


class SparkyError(Exception):
    """The daemon refused; nothing has changed. `help` says what to do next."""

    def __init__(self, message: str, help: str = "", code: str = ""):
        super().__init__(f"{message} ({help})" if help else message)
        self.message, self.help, self.code = message, help, code


class JobFailed(SparkyError):
    """The job was refused, failed or was cancelled."""

    def __init__(self, job_id: str, message: str, state: str = "failed"):
        super().__init__(message)
        self.job_id, self.state = job_id, state


class Unreachable(SparkyError):
    """No reply in time. A request that changes something is safe to repeat with the same id or key."""


def pack(type_: str, values: dict[str, Any]) -> bytes:
    """Encodes a message; what is None is left out, never nil."""
    return msgpack.packb({"type": type_, **{k: v for k, v in values.items() if v is not None}})


def unpack(frame: bytes) -> dict[str, Any]:
    message = msgpack.unpackb(frame)
    if not isinstance(message, dict) or "type" not in message:
        raise SparkyError("the daemon sent something that is not a message")
    return message


def read(cls, message: dict[str, Any]):
    """A dataclass from a message: unknown fields are ignored, so that a newer daemon does no harm."""
    return cls(**{f.name: message[f.name] for f in fields(cls) if f.name in message})


def checked(reply: dict[str, Any]) -> dict[str, Any]:
    """The reply, or the exception that it stands for."""
    if reply["type"] == "error":
        raise SparkyError(reply.get("message", ""), reply.get("help", ""), reply.get("code", ""))
    if reply["type"] == "job_error":
        raise JobFailed(reply.get("job_id", ""), reply.get("error", ""))
    return reply


@dataclass(frozen=True)
class JobAccepted:
    job_id: str
    estimated_time_s: float = 0.0


@dataclass(frozen=True)
class JobResult:
    image_path: str = ""
    image_paths: list[str] = field(default_factory=list)
    metadata: Any = None


    @staticmethod
    def of(reply: dict[str, Any]) -> "JobResult":
        path, metadata = reply.get("image_path", ""), reply.get("metadata")
        several = metadata.get("image_paths") if isinstance(metadata, dict) else None
        return JobResult(path, several or ([path] if path else []), metadata)


@dataclass(frozen=True)
class JobState:
    job_id: str
    status: str  # queued, running, completed, failed, cancelled


@dataclass(frozen=True)
class Model:
    name: str
    path: str = ""
    model_type: str = "checkpoint"
    size_mb: float = 0.0


@dataclass(frozen=True)
class StatusInfo:
    version: str
    queue_size: int
    active_jobs: int
    uptime_s: float


@dataclass(frozen=True)
class Progress:
    job_id: str
    stage: str = ""
    step: int = 0
    total_steps: int = 0
    percent: float = 0.0
    eta_s: float = 0.0


@dataclass(frozen=True)
class Event:
    """One fact of the full stream. `seq` has no gaps and stays the same after a restart of the daemon."""

    seq: int
    time: str
    event: str
    run: int = 0
    text: str = ""
    data: Optional[dict[str, Any]] = None


ENDED = ("completed", "failed", "cancelled")
