#!/usr/bin/env python3
"""The Agent Client Protocol as others speak it: Sparky with the example agent of the protocol's own library, with an
agent that is written with that library and uses everything a client offers, and the library's client with the scripted
agent of Sparky's tests.

  acp_test.py BIN_DIR CACHE      CACHE: where the library is installed with npm, once

Exit status 77, and the reason, if the library cannot be had here."""
import json, os, shutil, subprocess, sys, tempfile, time

LIBRARY, VERSION = "@agentclientprotocol/sdk", "1.4.0"
BIN, CACHE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
HERE = os.path.dirname(os.path.abspath(__file__))
SDK = f"{CACHE}/node_modules/{LIBRARY}"
TOP = tempfile.mkdtemp(prefix="sparky-acp-")
REPO, STATE = f"{TOP}/game", f"{TOP}/state"
ENV = dict(os.environ, PATH=f"{BIN}:{os.environ['PATH']}", SPARKY_WARDEN_PROGRAM=f"{BIN}/sparky-warden", HOME=TOP,
           GIT_AUTHOR_NAME="Test", GIT_AUTHOR_EMAIL="test@localhost", GIT_COMMITTER_NAME="Test",
           GIT_COMMITTER_EMAIL="test@localhost")
ENV.pop("SPARKY_ATTEMPT", None)
wrong = []

# The example agent changes nothing itself, so what its workstream delivers is committed by the setup command.
PLAN = """
[plan]
name = "Other people's agents"
[[orchestrator]]
id = "all"
phase = "parallel"
[agents.example]
protocol = "acp"
writable = ["{state}"]
command = ["node", "{sdk}/dist/examples/agent.js"]
setup = "echo made > $(basename $PWD).txt && git add . && git commit -q -m 'Add a file'"
limits.retries = 0
[agents.example-denied]
like = "example"
permissions.edit = "deny"
[agents.example-asked]
like = "example"
permissions.edit = "ask"
[agents.example-cut-off]
like = "example"
limits.time = "2s"
[agents.all-resume]
protocol = "acp"
command = ["node", "{here}/acp/agent.mjs", "{sdk}", "{state}", "resume"]
writable = ["{state}"]
permissions.delete = "deny"
limits.retries = 1
[agents.all-load]
like = "all-resume"
command = ["node", "{here}/acp/agent.mjs", "{sdk}", "{state}", "load"]
"""
WORKSTREAM = """
[[workstream]]
id = "{id}"
name = "{id}"
orchestrator = "all"
agent = "{agent}"
retries = {{ max = {retries}, backoff = "100ms" }}
[[workstream.criteria]]
text = "its file is there"
check = "test -f {id}.txt"
"""
WORK = [("ALLOW", "example", 0), ("DENY", "example-denied", 0), ("ASK", "example-asked", 0), ("CUT", "example-cut-off", 0),
        ("RESUME", "all-resume", 1), ("LOAD", "all-load", 1)]


def hold(what, ok, seen=""):
    print(f"  {'ok   ' if ok else 'WRONG'} {what}{'' if ok else f': {seen}'}", flush=True)
    if not ok:
        wrong.append(what)


def sh(*argv, cwd=REPO):
    return subprocess.run(argv, cwd=cwd, env=ENV, text=True, capture_output=True, check=True).stdout.strip()


def sparky(*argv):
    return subprocess.run([f"{BIN}/sparky", *argv], cwd=REPO, env=ENV, text=True, capture_output=True, timeout=60)


def have_library():
    node = subprocess.run(["node", "--version"], text=True, capture_output=True).stdout if shutil.which("node") else "v0"
    there = os.path.exists(f"{SDK}/package.json") and json.load(open(f"{SDK}/package.json"))["version"] == VERSION
    if int(node.strip("v \n").split(".")[0]) < 20:
        why = f"it needs node 20 or newer (here: {node.strip() if node != 'v0' else 'none'})"
    elif there:
        return
    elif not shutil.which("npm"):
        why = "npm is not installed"
    else:
        os.makedirs(CACHE, exist_ok=True)
        done = subprocess.run(["npm", "install", "--prefix", CACHE, "--no-audit", "--no-fund", "--ignore-scripts",
                               "--fetch-retries=1", "--fetch-timeout=20000", f"{LIBRARY}@{VERSION}", "zod@4"],
                              text=True, capture_output=True)
        if done.returncode == 0 and os.path.exists(f"{SDK}/dist/examples/agent.js"):
            return
        why = "npm could not install it: " + done.stderr.strip()[-300:]
    os.rmdir(TOP)
    print(f"SKIPPED: {LIBRARY} {VERSION} cannot be had here: {why}")
    sys.exit(77)


def run():
    for directory in (REPO, STATE):
        os.makedirs(directory)
    # The sandbox hides /tmp, where this checkout may be: what the agents run lies where they may write.
    shutil.copytree(f"{CACHE}/node_modules", f"{STATE}/node_modules", symlinks=True)
    shutil.copytree(f"{HERE}/acp", f"{STATE}/acp")
    plan = PLAN.format(sdk=f"{STATE}/node_modules/{LIBRARY}", here=STATE, state=STATE)
    plan += "".join(WORKSTREAM.format(id=i, agent=a, retries=r) for i, a, r in WORK)
    for name, text in (("plan.toml", plan), (".gitignore", ".sparky/\n")):
        with open(f"{REPO}/{name}", "w") as file:
            file.write(text)
    sh("git", "init", "-q", "-b", "main")
    sh("git", "add", ".")
    sh("git", "commit", "-q", "-m", "Start")
    sh("git", "switch", "-q", "-c", "mine")
    with open(f"{REPO}/sparky.toml", "w") as file:
        file.write("[merge]\nbranch = \"main\"\n")
    log = open(f"{TOP}/run.log", "w")
    process = subprocess.Popen([f"{BIN}/sparky", "run", "plan.toml", "--plain", "-j", "6"], cwd=REPO, env=ENV, stdout=log,
                               stderr=log)
    asked, end = [], time.time() + 180
    while process.poll() is None and time.time() < end:
        done = sparky("status", "--json")
        state = json.loads(done.stdout) if done.returncode == 0 and done.stdout else {}
        for d in state.get("decisions", []):
            # The one that was cut off has failed; that is what is decided here. All else is allowed.
            answer = "reject" if d["target"] == "CUT" else "approve"
            if sparky("decide", d["id"], answer).returncode == 0:
                asked.append(d["text"])
        time.sleep(0.3)
    process.kill()
    return asked


def transcript(name):
    home = f"{REPO}/.sparky/agents/run-1/{name}"
    return "".join(open(f"{home}/{f}").read() for f in sorted(os.listdir(home)) if f.startswith("transcript"))


def said(name):
    with open(f"{REPO}/.sparky/agents/run-1/{name}/summary.md") as file:
        return file.read()


def verify(asked):
    merged = sh("git", "ls-tree", "--name-only", "main").split("\n")
    print("the example agent", flush=True)
    hold("allowed: it has done what it asked for, and is merged", "Perfect!" in said("ALLOW") and "ALLOW.txt" in merged)
    hold("denied: it skips it", "I'll skip" in said("DENY") and "DENY.txt" in merged)
    hold("asked: a person allows it", any("Modifying critical" in a for a in asked) and "Perfect!" in said("ASK"), asked)
    hold("cut off: it ends its turn as cancelled", '"stopReason":"cancelled"' in transcript("CUT"))
    hold("cut off: its work is kept, not merged", "CUT.txt" not in merged and
         "CUT.txt" in sh("git", "ls-tree", "--name-only", "ws/CUT-cut"))
    for name, way in (("RESUME", "resume"), ("LOAD", "load")):
        print(f"an agent that uses everything, and can {way}", flush=True)
        with open(f"{STATE}/{name}.json") as file:
            known = json.load(file)
        found = known["found"]
        hold("its session is taken up again after a crash", known["opened"] == ["new", way], known["opened"])
        expected = {"read": "two\n", "missing": -32002, "outside": -32602, "unknown": -32601, "stranger": -32602,
                    "exit": {"exitCode": 130, "signal": None}, "output": "spoken\n", "released": -32002,
                    "cancelled": -32800, "killed": {"exitCode": None, "signal": "SIGKILL"}, "leave": "n",
                    "commit": {"exitCode": 0, "signal": None}}
        for what, value in expected.items():
            hold(f"{what}: {json.dumps(value)}", found.get(what) == value, found.get(what))
        if way == "resume":
            hold("it is told that the session is over", known.get("closed") is True)
        hold("what it wrote is merged", f"{name}.txt" in merged)
        hold("the past is not said again", "long ago" not in said(name))
        home = f"{REPO}/.sparky/agents/run-1/{name}"
        with open(f"{home}/usage.json") as file:
            usage = json.load(file)["attempts"].values()
        total = (sum(u["tokens"] for u in usage), sum(u["money"] for u in usage))
        hold("usage of both attempts adds up to what the session told", total == (2000, 0.75), total)
    hold("nothing was written outside", not os.path.exists(f"{STATE}/intruder"))


def scripted_agent():
    print("the scripted agent, with the library's client", flush=True)
    tree = f"{TOP}/tree"
    os.makedirs(tree)
    script = {"X": [[{"write": ["x.txt", "x"]}, {"say": "hello"}, {"usage": [10, 0.1]}, {"same": 2},
                     {"ask": "install", "kind": "execute"}]]}
    with open(f"{TOP}/script.json", "w") as file:
        json.dump(script, file)
    done = subprocess.run(["node", f"{HERE}/acp/client.mjs", SDK, tree, sys.executable, f"{HERE}/scripted_agent.py",
                           f"{TOP}/script.json", STATE], env=dict(ENV, SPARKY_WORKSTREAM="X"), text=True,
                          capture_output=True, timeout=60)
    came = json.loads(done.stdout or "{}")
    expected = {"version": 1, "unknown": -32601, "stop": "end_turn", "files": ["x.txt"], "asked": ["install"],
                "updates": ["agent_message_chunk", "usage_update", "tool_call", "tool_call", "tool_call"]}
    for what, value in expected.items():
        hold(f"{what}: {json.dumps(value)}", came.get(what) == value, came.get(what, done.stderr[-500:]))
    hold("nothing that the library complains of", done.stderr == "", done.stderr)


have_library()
try:
    began = time.time()
    verify(run())
    scripted_agent()
finally:
    if "--keep" in sys.argv:
        print(TOP)
    else:
        shutil.rmtree(TOP, ignore_errors=True)
if wrong:
    sys.exit(f"{len(wrong)} wrong")
print(f"all of it holds ({time.time() - began:.0f} s)")
