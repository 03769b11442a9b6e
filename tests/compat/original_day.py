#!/usr/bin/env python3
"""A whole day of an original dgx-pixels TUI against a Sparky daemon.

Written against the published protocol alone: plain REQ and SUB sockets, MessagePack, none of Sparky's own code. Fails
on an unknown type, stage or model_type, a float timestamp, a nil string or a reply later than 5 s: each of these breaks
those clients.

    original_day.py REQ PUB MODEL      e.g. tcp://127.0.0.1:5555 tcp://127.0.0.1:5556 sprite-32
"""
import os
import sys
import time
from pathlib import Path

import msgpack
import zmq

STAGES = {"initializing", "loading_models", "encoding", "sampling", "decoding", "post_processing"}
MODEL_TYPES = {"checkpoint", "lora", "vae"}
REPLY_FIELDS = {
    "job_accepted": {"job_id": str, "estimated_time_s": (int, float)},
    "job_complete": {"job_id": str, "image_path": str, "duration_s": (int, float)},
    "job_error": {"job_id": str, "error": str},
    "job_cancelled": {"job_id": str},
    "model_list": {"models": list},
    "status_info": {"version": str, "queue_size": int, "active_jobs": int, "uptime_s": (int, float)},
    "pong": {},
    "error": {"message": str},
}
UPDATE_FIELDS = {
    "job_started": {"job_id": str, "timestamp": int},
    "progress": {"job_id": str, "stage": str, "step": int, "total_steps": int, "percent": (int, float),
                 "eta_s": (int, float)},
    "preview": {"job_id": str, "image_path": str, "step": int},
    "job_finished": {"job_id": str, "success": bool, "duration_s": (int, float)},
    "job_complete": {"job_id": str, "image_path": str, "duration_s": (int, float)},
}


class Broken(Exception):
    pass


def check(fields_of, message):
    kind = message.get("type")
    if kind not in fields_of:
        raise Broken(f"unknown type {kind!r} kills the client: {message}")
    for name, types in fields_of[kind].items():
        if name not in message:
            raise Broken(f"{kind} without {name}: {message}")
        value = message[name]
        if not isinstance(value, types) or (isinstance(value, bool) and types is int):
            raise Broken(f"{kind}.{name} is {value!r}")
    if any(value is None for value in message.values()):
        raise Broken(f"a nil in {message}")
    return message


class Tui:
    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.context.destroy(0)

    def __init__(self, req, pub):
        self.context = zmq.Context()
        self.req = self.context.socket(zmq.REQ)
        self.req.connect(req)
        self.sub = self.context.socket(zmq.SUB)
        self.sub.setsockopt(zmq.SUBSCRIBE, b"")
        self.sub.connect(pub)

    def raw(self, frame):
        start = time.monotonic()
        self.req.send(frame)
        if not self.req.poll(5000):
            raise Broken("no reply within 5 s")
        reply = check(REPLY_FIELDS, msgpack.unpackb(self.req.recv()))
        return reply, time.monotonic() - start

    def ask(self, **message):
        return self.raw(msgpack.packb(message))[0]

    def until_end(self, job_id, limit_s=120):
        """All updates about a job, up to and including what ends it."""
        seen, end = [], time.monotonic() + limit_s
        while time.monotonic() < end:
            if not self.sub.poll(1000):
                continue
            update = check(UPDATE_FIELDS, msgpack.unpackb(self.sub.recv()))
            if update["type"] == "progress" and update["stage"] not in STAGES:
                raise Broken(f"unknown stage: {update}")
            if update["job_id"] != job_id:
                continue
            seen.append(update)
            if update["type"] == "job_complete" or (update["type"] == "job_finished" and not update["success"]):
                return seen
        raise Broken(f"{job_id} did not end: {seen[-3:]}")


def expect(condition, what):
    if not condition:
        raise Broken(what)
    print("ok  ", what)


def day(req, pub, model):
    with Tui(req, pub) as tui:
        live(tui, model)


def live(tui, model):
    time.sleep(0.3)  # a SUB socket needs a moment to be connected

    expect(tui.ask(type="ping") == {"type": "pong"}, "ping gets pong, and nothing else")
    status = tui.ask(type="status")
    expect(status["version"] == "1.0.0", "status names protocol 1.0.0")
    models = tui.ask(type="list_models")["models"]
    expect(models, "there is a model")
    for m in models:
        expect({"name", "path", "model_type", "size_mb"} <= m.keys() and m["model_type"] in MODEL_TYPES,
               f"model {m['name']} is described as the client wants it")

    reply = tui.ask(type="generate", id="day-1", prompt="a red dragon", model=model, size=[32, 32], steps=8,
                    cfg_scale=3.0)
    expect(reply["type"] == "job_accepted" and reply["job_id"] == "day-1", "generate is accepted under its own id")
    again = tui.ask(type="generate", id="day-1", prompt="a red dragon", model=model, size=[32, 32], steps=8,
                    cfg_scale=3.0)
    expect(again["type"] == "job_accepted", "the same again gets the same reply")
    other = tui.ask(type="generate", id="day-1", prompt="a blue dragon", model=model, size=[32, 32], steps=8,
                    cfg_scale=3.0)
    expect(other["type"] == "job_error", "the same id with other content is refused")

    seen = tui.until_end("day-1")
    kinds = [u["type"] for u in seen]
    expect(kinds.count("job_started") == 1 and kinds[0] == "job_started", "job_started comes once, first")
    expect(kinds[-2:] == ["job_finished", "job_complete"], "at the end job_finished, then job_complete")
    percents = [u["percent"] for u in seen if u["type"] == "progress"]
    expect(percents and percents == sorted(percents) and percents[-1] <= 100, "percent grows to at most 100")
    image = seen[-1]["image_path"]
    expect(os.path.isabs(image) and Path(image).read_bytes()[:8] == b"\x89PNG\r\n\x1a\n", "image_path is an absolute PNG")

    tui.ask(type="generate", id="day-2", prompt="a slow one", model=model, size=[32, 32], steps=500, cfg_scale=3.0)
    expect(tui.ask(type="cancel", job_id="day-2")["type"] == "job_cancelled", "cancel is answered")
    ended = tui.until_end("day-2")[-1]
    expect(ended["type"] == "job_finished" and ended["success"] is False, "a cancelled job ends without success")

    expect(tui.ask(type="cancel", job_id="nobody")["type"] == "job_error", "cancelling an unknown job is a job_error")
    expect(tui.ask(type="generate", id="day-3", prompt="x", model="no-such-model", size=[32, 32], steps=8,
                   cfg_scale=3.0)["type"] == "job_error", "an unknown model is a job_error")
    for name, frame in {"garbage": b"\xc1\xff\x00", "an empty frame": b"", "an unknown type": msgpack.packb({"type": "x"}),
                        "a missing field": msgpack.packb({"type": "cancel"}), "not a map": msgpack.packb([1, 2]),
                        "deep nesting": b"\x91" * 100_000}.items():
        reply, seconds = tui.raw(frame)
        expect(reply["type"] == "error" and reply["message"], f"{name} gets an error with a message")
    reply, _ = tui.raw(msgpack.packb({"prompt": "p", "type": "generate", "model": model, "extra": {"a": 1}}))
    expect(reply["type"] == "job_accepted" and reply["job_id"], "prompt and model alone are enough; extra fields do no harm")
    made = reply["job_id"]
    tui.until_end(made)
    expect(tui.ask(type="ping")["type"] == "pong", "and the day ends with a ping")


if __name__ == "__main__":
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    try:
        day(*sys.argv[1:])
    except Broken as broken:
        sys.exit(f"FAIL {broken}")
