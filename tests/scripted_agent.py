#!/usr/bin/env python3
"""An agent that follows a script, for the tests and for `./dev agents-demo`: it speaks the Agent Client Protocol
(version 1) and does what SCRIPT (a JSON file: {workstream: [turn, …]}) says for its workstream, one entry for each turn
over all its processes; the last entry is repeated. A turn is a list of steps:

  {"write": ["path", "text"]}   write a file of the worktree through the client
  {"run": "command"}            run a command in a terminal of the client; its failure ends the turn
  {"commit": "message"}         git add and commit, if there is something to
  {"say": "text"}               a piece of its message
  {"outside": "/path"}          try to write outside the worktree; says what the client answered
  {"ask": "title", "kind": "execute"}   ask for permission; a refusal ends the turn
  {"usage": [tokens, dollars]}  what the session has used so far
  {"same": n}                   the same tool call n times
  {"wait_for": "/path"}         wait until that file is there; only then the turn counts
  {"crash": code} {"hang": seconds} {"daemon": seconds}   end at once; do nothing; leave a process behind (double fork)
"""
import json, os, subprocess, sys, time

SCRIPT, STATE = sys.argv[1], sys.argv[2]
WORKSTREAM = os.environ["SPARKY_WORKSTREAM"]
next_id = 0
session = None
cancelled = False


def send(message):
    message["jsonrpc"] = "2.0"
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def receive():
    line = sys.stdin.readline()
    if not line:
        sys.exit(0)
    return json.loads(line)


def request(method, params):
    """Ask the client; requests and notifications of its own that come meanwhile are taken too."""
    global next_id, cancelled
    next_id += 1
    mine = f"a{next_id}"
    send({"id": mine, "method": method, "params": dict(params, sessionId=session)})
    while True:
        message = receive()
        if message.get("id") == mine and "method" not in message:
            return message
        if message.get("method") == "session/cancel":
            cancelled = True


def update(body):
    send({"method": "session/update", "params": {"sessionId": session, "update": body}})


def say(text):
    update({"sessionUpdate": "agent_message_chunk", "content": {"type": "text", "text": text + "\n"}})


class End(Exception):
    pass


def terminal(command):
    made = request("terminal/create", {"command": "sh", "args": ["-c", command]})
    if "error" in made:
        raise End(f"terminal: {made['error']['message']}")
    name = made["result"]["terminalId"]
    status = request("terminal/wait_for_exit", {"terminalId": name})["result"]
    out = request("terminal/output", {"terminalId": name})["result"]["output"]
    request("terminal/release", {"terminalId": name})
    if status.get("exitCode") != 0:
        raise End(f"{command}: {out}")
    return out


def step(what, cwd):
    if "write" in what:
        path, text = what["write"]
        done = request("fs/write_text_file", {"path": os.path.join(cwd, path), "content": text})
        if "error" in done:
            raise End(done["error"]["message"])
    if "run" in what:
        terminal(what["run"])
    if "commit" in what:
        terminal(f"git add -A . && (git diff --cached --quiet || git commit -q -m '{what['commit']}')")
    if "say" in what:
        say(what["say"])
    if "outside" in what:
        done = request("fs/write_text_file", {"path": what["outside"], "content": "intruder"})
        say("outside: " + ("REFUSED" if "error" in done else "WRITTEN"))
    if "ask" in what:
        update({"sessionUpdate": "tool_call", "toolCallId": "t", "title": what["ask"], "kind": what["kind"]})
        done = request("session/request_permission", {
            "toolCall": {"toolCallId": "t", "title": what["ask"], "kind": what["kind"]},
            "options": [{"optionId": "yes", "name": "Allow", "kind": "allow_once"},
                        {"optionId": "no", "name": "Reject", "kind": "reject_once"}]})
        outcome = done["result"]["outcome"]
        if outcome.get("optionId") != "yes":
            raise End("not allowed")
    if "usage" in what:
        tokens, dollars = what["usage"]
        update({"sessionUpdate": "usage_update", "used": tokens, "size": 200000,
                "cost": {"amount": dollars, "currency": "USD"}})
    for _ in range(what.get("same", 0)):
        update({"sessionUpdate": "tool_call", "toolCallId": "s", "title": "look again", "kind": "read"})
    if "crash" in what:
        os._exit(what["crash"])
    if "hang" in what:
        time.sleep(what["hang"])
    if "daemon" in what and os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(what["daemon"])
        os._exit(0)


def turn(cwd):
    script = json.load(open(SCRIPT))[WORKSTREAM]
    for what in script[0]:
        while not os.path.exists(what.get("wait_for", "/")):
            time.sleep(0.05)
    counter = os.path.join(STATE, WORKSTREAM + ".turn")
    number = int(open(counter).read()) if os.path.exists(counter) else 0
    with open(counter + ".new", "w") as file:  # before the steps: a crash does not repeat them
        file.write(str(number + 1))
    os.replace(counter + ".new", counter)  # whole at any moment: it is killed, too
    try:
        for what in script[min(number, len(script) - 1)]:
            step(what, cwd)
    except End as end:
        say(str(end))


def main():
    global session, cancelled
    cwd = os.getcwd()
    while True:
        message = receive()
        method, params = message.get("method"), message.get("params", {})
        if method == "initialize":
            send({"id": message["id"], "result": {"protocolVersion": 1, "agentCapabilities": {"loadSession": False}}})
        elif method == "session/new":
            session, cwd = f"s{os.getpid()}", params["cwd"]
            send({"id": message["id"], "result": {"sessionId": session}})
        elif method == "session/prompt":
            cancelled = False
            turn(cwd)
            send({"id": message["id"], "result": {"stopReason": "cancelled" if cancelled else "end_turn"}})
        elif "id" in message and method:
            send({"id": message["id"], "error": {"code": -32601, "message": f"no method {method}"}})


main()
