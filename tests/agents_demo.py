#!/usr/bin/env python3
"""Agents do the work, end to end: eight workstreams on a sample repository with a remote, carried out by a scripted
agent (scripted_agent.py), honest and otherwise, with everything killed twice in between.

  agents_demo.py BIN_DIR [--keep] [--no-sandbox]     BIN_DIR holds sparky and sparky-warden

With --no-sandbox bubblewrap fails, as it does where namespaces are forbidden (in most containers): then a person is asked,
once for all.

At the end: main is green, every criterion has its evidence, each change is merged once, costs add up, and no process
and no file is left over. Exit status 0 if all of that is so."""
import json, os, shutil, signal, subprocess, sys, tempfile, time

BIN, KEEP = os.path.abspath(sys.argv[1]), "--keep" in sys.argv
FAKE = "--no-sandbox" in sys.argv
HERE = os.path.dirname(os.path.abspath(__file__))
TOP = tempfile.mkdtemp(prefix="sparky-agents-")
REPO, STATE, REMOTE = f"{TOP}/game", f"{TOP}/state", f"{TOP}/remote.git"
INTRUDER = f"{TOP}/intruder.txt"
KILLED = f"{STATE}/killed"  # written after the last kill: what must not be cut off in mid-turn waits for it
ENV = dict(os.environ, PATH=f"{BIN}:{TOP}/bin:{os.environ['PATH']}", SPARKY_WARDEN_PROGRAM=f"{BIN}/sparky-warden", HOME=TOP,
           GIT_AUTHOR_NAME="Demo", GIT_AUTHOR_EMAIL="demo@localhost", GIT_COMMITTER_NAME="Demo",
           GIT_COMMITTER_EMAIL="demo@localhost")
ENV.pop("SPARKY_ATTEMPT", None)
RESOLVE = ("git rebase -q refs/sparky/remotes/origin/main || "
           "(cat shared.txt | grep -v '^[<=>]' > merged && mv merged shared.txt && git add shared.txt && "
           "GIT_EDITOR=true git rebase --continue)")


def sandbox_works():
    """As src/agents/sandbox.cc asks."""
    probe = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid", "true"]
    return shutil.which("bwrap") and subprocess.run(probe, capture_output=True).returncode == 0


BARE = FAKE or not sandbox_works()


def work(name):
    return [{"write": [f"{name}.txt", f"{name}\n"]}, {"commit": f"Add {name}"}, {"say": f"{name} is there"}]


SCRIPT = {
    # leaves a daemon behind, and reaches outside its tree
    "WS-A": [[{"outside": INTRUDER}, {"daemon": 600}] + work("a")],
    # two that change the same line: the later one has to rebase
    "WS-B": [[{"write": ["shared.txt", "start\nfrom b\n"]}, {"commit": "Share b"}], [{"commit": "Share b"}, {"run": RESOLVE}]],
    "WS-C": [[{"write": ["shared.txt", "start\nfrom c\n"]}, {"commit": "Share c"}], [{"commit": "Share c"}, {"run": RESOLVE}]],
    # ends in mid-turn, with work that is not committed
    "WS-D": [[{"write": ["d.txt", "half"]}, {"crash": 9}], work("d")],
    "WS-E": [[{"wait_for": KILLED}, {"ask": "install a package", "kind": "execute"}, {"usage": [5000, 1.7]}] + work("e")],
    # spends more than it may, and is stopped before it has done anything
    "WS-F": [[{"wait_for": KILLED}, {"usage": [9000, 2.5]}, {"hang": 60}] + work("f"), [{"usage": [1000, 0.25]}] + work("f")],
    # does the same again and again; then says it is done and has done nothing; then does it
    "WS-G": [[{"same": 40}, {"hang": 20}], [{"say": "All done!"}], work("g")],
    # makes its test pass by taking the test away
    "WS-H": [[{"write": ["tests/check.sh", "exit 0\n"]}] + work("h"),
             [{"run": "git checkout -q refs/sparky/remotes/origin/main -- tests/check.sh"}, {"commit": "Restore the test"}]],
}

PLAN = """
[plan]
name = "Agents' demo"
notify = "echo \\"$SPARKY_NOTIFY: $SPARKY_NOTIFY_TEXT\\" >> {top}/state/notified"

[[orchestrator]]
id = "game"
name = "Game"
phase = "parallel"

[agents.scripted]
protocol = "acp"
description = "Follows a script"
command = ["{python}", "{top}/state/scripted_agent.py", "{top}/state/script.json", "{top}/state"]
writable = ["{top}/state"]
[agents.scripted.permissions]
execute = "ask"
[agents.scripted.limits]
money = 2
repeats = 8
retries = 4
silence = "30s"
time = "2m"
"""
WORKSTREAM = """
[[workstream]]
id = "WS-{id}"
name = "Make {id}"
orchestrator = "game"
agent = "scripted"
duration = "1h"
retries = {{ max = 6, backoff = "100ms", factor = 1 }}
{more}
[[workstream.criteria]]
text = "{text}"
check = "{check}"
{red}
"""
GATE = """
[[gate]]
id = "release"
after = ["game"]
[[gate.criteria]]
text = "The tests pass on what is merged"
check = "sh tests/check.sh"
[[gate.criteria]]
text = "Everybody's work is there"
check = "grep -q 'from b' shared.txt && grep -q 'from c' shared.txt && test -f a.txt && test -f h.txt"
"""


def sh(*argv, cwd=REPO, check=True):
    done = subprocess.run(argv, cwd=cwd, env=ENV, text=True, capture_output=True)
    if check and done.returncode != 0:
        sys.exit(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
    return done.stdout.strip()


def sparky(*argv):
    done = subprocess.run([f"{BIN}/sparky", *argv], cwd=REPO, env=ENV, text=True, capture_output=True, timeout=60)
    return done


def status():
    done = sparky("status", "--json")
    return json.loads(done.stdout) if done.returncode == 0 and done.stdout else {}


def make_project():
    for directory in (REPO, STATE, f"{REPO}/tests"):
        os.makedirs(directory)
    os.makedirs(f"{TOP}/bin")
    if FAKE:
        with open(f"{TOP}/bin/bwrap", "w") as file:
            file.write("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
        os.chmod(f"{TOP}/bin/bwrap", 0o755)
    shutil.copy(f"{HERE}/scripted_agent.py", STATE)  # the sandbox hides /tmp, where this checkout may be
    with open(f"{STATE}/script.json", "w") as file:
        json.dump(SCRIPT, file)
    with open(f"{REPO}/shared.txt", "w") as file:
        file.write("start\n")
    with open(f"{REPO}/.gitignore", "w") as file:
        file.write(".sparky/\n")
    with open(f"{REPO}/tests/check.sh", "w") as file:
        file.write("grep -q start shared.txt || exit 1\n")
    plan = PLAN.format(top=TOP, python=sys.executable)
    for name in "ABCDEFGH":
        file = f"{name.lower()}.txt"
        text, check, red = f"{file} is there", f"test -f {file}", "red_first = true"
        if name in "BC":
            text, check, red = "the shared file has it", f"grep -q 'from {name.lower()}' shared.txt", "red_first = true"
        if name == "H":
            text, check, red = "the tests pass", "sh tests/check.sh && test -f h.txt", ""
        more = 'depends_on = ["WS-A", "WS-B", "WS-C", "WS-D"]' if name in "EF" else ""
        if name == "H":  # after all kills: a turn that is cut off is not played again, and the loosened test with it
            more = 'depends_on = ["WS-E"]'
        plan += WORKSTREAM.format(id=name, text=text, check=check, red=red, more=more)
    with open(f"{REPO}/plan.toml", "w") as file:
        file.write(plan + GATE)
    sh("git", "init", "-q", "--bare", "-b", "main", REMOTE, cwd=TOP)
    sh("git", "init", "-q", "-b", "main")
    sh("git", "add", ".")
    sh("git", "commit", "-q", "-m", "Start")
    sh("git", "remote", "add", "origin", REMOTE)
    sh("git", "push", "-q", "origin", "main")


def processes():
    """Those that belong to this demo: they name its directory, or carry it in their environment."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit() or int(entry) == os.getpid():
            continue
        try:
            line = open(f"/proc/{entry}/cmdline", "rb").read() + b" " + os.readlink(f"/proc/{entry}/cwd").encode()
            marked = f"HOME={TOP}".encode() in open(f"/proc/{entry}/environ", "rb").read().split(b"\0")
        except OSError:
            continue
        if TOP.encode() in line or marked:
            found.append((int(entry), line.replace(b"\0", b" ").decode(errors="replace")))
    return found


def kill_everything():
    for pid, line in processes():
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass


def decide(state, seen):
    """What a person would say: yes to what is asked, no to a loosened test."""
    for d in state.get("decisions", []):
        text = d.get("text", "")
        if "without a sandbox" in text and state.get("slots", {}).get("used"):
            continue  # answered when all have asked: whoever is about to ask has not heard the answer
        loosened = "ready to merge" in text
        answer = ["reject", "--note", "put the test back"] if loosened else ["approve"]
        if sparky("decide", d["id"], *answer).returncode == 0:
            seen.append(text)
            print(f"  decided {d['target']}: {'no' if loosened else 'yes'}: {text}", flush=True)


def run(seen):
    kills, end = 0, time.time() + 240
    log = open(f"{TOP}/run.log", "a")
    process, began = None, time.time()
    while time.time() < end:
        if process is None or process.poll() is not None:
            state = status()
            if state.get("state") == "completed":
                return kills
            decide(state, seen)
            process = subprocess.Popen([f"{BIN}/sparky", "run", "plan.toml", "--plain", "-j", "4"], cwd=REPO, env=ENV,
                                       stdout=log, stderr=log)
            time.sleep(0.5)
            continue
        state = status()
        decide(state, seen)
        done = state.get("counts", {}).get("completed", 0)
        if (kills == 0 and time.time() - began > 2) or (kills == 1 and done >= 2):
            kills += 1
            kill_everything()
            process.wait()
            if kills == 2:
                open(KILLED, "w").close()
            print(f"  kill -9 of everything ({done} done)", flush=True)
        time.sleep(0.3)
    print(json.dumps(state, indent=1)[:6000])
    sys.exit("it did not end in time; its log is " + f"{TOP}/run.log")


def verify(seen, kills):
    wrong = []

    def hold(what, ok):
        print(f"  {'ok   ' if ok else 'WRONG'} {what}", flush=True)
        if not ok:
            wrong.append(what)

    def show(ref):
        return subprocess.run(["git", "show", ref], cwd=REMOTE, text=True, capture_output=True).stdout

    subjects = sh("git", "log", "--format=%s", "main", cwd=REMOTE).split("\n")
    hold("everything was killed twice", kills == 2)
    for name in "adefgh":
        hold(f"{name}.txt is on main, merged once",
             show(f"main:{name}.txt") == f"{name}\n" and subjects.count(f"Add {name}") == 1)
    hold("both sides of the conflict are on main", {"from b", "from c"} <= set(show("main:shared.txt").split("\n")))
    hold("the test is as it was", "grep" in show("main:tests/check.sh"))
    hold("nothing was written outside", not os.path.exists(INTRUDER))
    for word in ("install a package", "budget", "ready to merge"):
        hold(f"a person was asked: {word}", any(word in text for text in seen))
    without = [text for text in seen if "without a sandbox" in text]
    told = open(f"{STATE}/notified").read()
    hold("the notice says that 80 % of a budget are used", "WS-E has used $1.70 of $2.00" in told)
    hold(f"a person was asked {'once' if BARE else 'nothing'} about a missing sandbox", len(without) == BARE)
    for name in "ABCDEFGH":
        node = json.loads(sparky("review", f"WS-{name}", "--json").stdout)
        verdicts = [c["verdict"] for c in node["workstream"]["criteria"]]
        hold(f"WS-{name}: every criterion is verified, with evidence", verdicts == ["verified"] * len(verdicts) and
             all(c.get("evidence") for c in node["workstream"]["criteria"]))
    cost = json.loads(sparky("agents", "cost", "--json").stdout)
    mine = sum(w["usd"] for w in cost["workstreams"])
    f = next(w for w in cost["workstreams"] if w["workstream"] == "WS-F")
    shown = status()["cost"]
    hold(f"the status shows the same cost ({shown['text']})", abs(shown["usd"] - cost["usd"]) < 1e-9)
    hold(f"costs add up (${cost['usd']:.2f}; WS-F ${f['usd']:.2f})", abs(mine - cost["usd"]) < 1e-9 and 2.75 <= f["usd"] < 6)
    trees = sh("git", "worktree", "list").split("\n")
    hold("no worktree is left", len(trees) == 1 and not any(files for _, _, files in os.walk(f"{REPO}/.sparky/worktrees")))
    hold("no branch of an agent is left", sh("git", "branch", "--list", "ws/*") == "")
    hold("the state of each attempt is kept", len(sh("git", "for-each-ref", "refs/sparky/run-1").split("\n")) >= 16)
    hold("the person's checkout is untouched", sh("git", "status", "--porcelain") == "" and
         sh("git", "rev-parse", "HEAD") == sh("git", "rev-list", "--max-parents=0", "HEAD"))
    for _ in range(50):
        left = [p for p in processes() if "sparky-warden" not in p[1]]
        if not left:
            break
        time.sleep(0.2)
    hold(f"no process is left {left if left else ''}", not left)
    return wrong


def main():
    make_project()
    print(f"{REPO}: eight workstreams", flush=True)
    seen, began = [], time.time()
    try:
        kills = run(seen)
        print(f"completed in {time.time() - began:.0f} s", flush=True)
        wrong = verify(seen, kills)
    finally:
        kill_everything()
        if not KEEP:
            shutil.rmtree(TOP, ignore_errors=True)
    if wrong:
        sys.exit(f"{len(wrong)} wrong")
    print("all of it holds")


main()
