#!/usr/bin/env python3
"""The house rules that a machine can see. Prints every breach as file:line: what is wrong, what would be right.

    scripts/style.py          checks the files that git tracks or would add
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LINE_MAX = 120
FILE_LINES_MAX = 700
FUNCTION_LINES_MAX = 110

# Which folders a folder may include from: arrows run downward only (docs/architecture.md).
LAYERS = {
    "base": set(),
    "config": {"base"},
    "plan": {"base"},
    "engine": {"base", "plan"},
    "journal": {"base"},
    "wire": {"base", "plan", "engine"},
    "warden": {"base"},
    "executors": {"base", "plan", "engine", "warden", "wire"},
    "conductor": {"base", "plan", "engine", "journal", "wire", "executors", "config", "telemetry", "agents"},
    "pixel": {"base"},
    "studio": {"base", "pixel", "wire"},
    "sprite": {"base", "pixel", "studio", "wire"},
    "telemetry": {"base"},
    "agents": {"base", "plan", "config"},
    "tui": {"base", "plan", "engine", "wire", "pixel", "studio"},
    "mcp": {"base", "wire", "pixel", "studio"},
    "web": {"base", "wire", "telemetry"},
    "cli": None,  # composes: may include everything
}
IMPURE = re.compile(
    r"#include <(thread|mutex|random|fstream|filesystem|unistd\.h|sqlite3\.h|zmq\S*|spdlog\S*|iostream|atomic)>"
    r"|_clock::now|std::rand|\bgetenv\(|\bnow\(\)")
PRIVATE = re.compile(r"(?<![\w.])/work/|https?://(deb|registry|files|static|index|proxy)\d*\.")

breaches = []


def breach(path, line, what):
    breaches.append(f"{path}:{line}: {what}")


def tracked():
    out = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "-z"], cwd=ROOT, capture_output=True,
                         check=True).stdout
    return [p for p in out.decode().split("\0") if p and (ROOT / p).is_file()]


def check_cpp(path, lines):
    folder = path.split("/")[1] if path.startswith("src/") and path.count("/") > 1 else None
    test = re.search(r"_(test|fuzz)\.cc$", path) is not None
    if not lines or not lines[0].startswith("//") and not test and path.endswith(".h"):
        breach(path, 1, "a header says in its first lines what it is for")
    if path.endswith(".h") and not any(l.startswith("#pragma once") for l in lines):
        breach(path, 1, "no #pragma once")
    if len(lines) > FILE_LINES_MAX and not test:
        breach(path, len(lines), f"{len(lines)} lines: is this one room, or several? (limit {FILE_LINES_MAX})")
    pure = folder in ("engine", "plan") and "/sim/" not in path and not test
    start = None
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_MAX and "R\"" not in line and "http" not in line:
            breach(path, number, f"line of {len(line)} characters (limit {LINE_MAX})")
        if pure and folder == "engine" and IMPURE.search(line) and not line.lstrip().startswith("//"):
            breach(path, number, "the engine is pure: no clock, thread, randomness or I/O")
        include = re.match(r'#include "(\w+)/', line)
        if include and folder and not test and "/sim/" not in path and LAYERS.get(folder, None) is not None:
            target = include.group(1)
            if target != folder and target in LAYERS and target not in LAYERS[folder]:
                breach(path, number, f"{folder}/ may not include from {target}/: arrows run downward only")
        if re.search(r"#include <(torch|ATen|c10)", line) and folder != "sprite":
            breach(path, number, "only src/sprite links libtorch")
        # A function's body: from a line at column 0 that ends in "{" to the "}" at column 0.
        if re.match(r"^[A-Za-z].*\)( const)?( noexcept)?( override)? \{$", line):
            start = number
        elif line == "}" and start:
            if number - start > FUNCTION_LINES_MAX and not test:
                breach(path, start, f"function of {number - start} lines (limit {FUNCTION_LINES_MAX})")
            start = None


def main():
    for path in tracked():
        if path.startswith((".dev/", "build/")):
            continue
        try:
            text = (ROOT / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture, weights, a corpus
        if ".corpus/" in path:
            continue
        lines = text.split("\n")
        if path.endswith((".cc", ".h")):
            check_cpp(path, lines)
        if path != "scripts/style.py":
            for number, line in enumerate(lines, 1):
                if PRIVATE.search(line):
                    breach(path, number, "a path of one machine, or the host of a package registry")
                if re.search(r"\b(TODO|FIXME|XXX)\b", line):
                    breach(path, number, "unfinished: do it, or say in the docs that it is not done")
    print("\n".join(breaches) if breaches else "style: no breach")
    return 1 if breaches else 0


if __name__ == "__main__":
    sys.exit(main())
