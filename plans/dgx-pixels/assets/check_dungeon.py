#!/usr/bin/env python3
"""Looks at the files that make_dungeon.sh left, with a PNG reader of its own (the game's).

    check_dungeon.py pipeline   each sprite of dungeon.tsv is there, drawn from its words, true pixel art, on the sheet
    check_dungeon.py manifest   the manifest lists exactly what lies in the folder
    check_dungeon.py backup     what a deployment replaces lies in a backup, and comes back (tried on a copy)
    check_dungeon.py game       the game draws its room with these sprites
    check_dungeon.py reload     a sprite that is deployed again appears in the running game (tried on a copy)
"""
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GAME = ROOT / "examples/dungeon"
sys.path.insert(0, str(GAME))
sys.dont_write_bytecode = True
import game as dungeon  # noqa: E402


def require(true, what):
    if not true:
        sys.exit(f"check_dungeon.py: {what}")


def sparky(*words):
    done = subprocess.run(["sparky", *map(str, words)], capture_output=True, text=True)
    require(done.returncode == 0, f"sparky {words[0]} … ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def wanted():
    rows = [line.split("\t") for line in (ROOT / "assets/dungeon.tsv").read_text().splitlines() if line]
    require(len(rows) >= 8 and all(len(row) == 3 for row in rows), "dungeon.tsv: name, prompt, seed in each line")
    return rows


def story(path):
    told = json.loads(sparky("image", "info", path, "--json"))
    require("sparky" in told, f"{path}: does not tell how it was drawn")
    return told["sparky"]["request"]


def manifest(game=GAME):
    return json.loads((game / "assets/sprites_manifest.json").read_text())


def check_pipeline():
    pictures = {}
    for name, prompt, seed in wanted():
        path = GAME / "assets/sprites" / f"{name}.png"
        require(path.is_file(), f"{path} is not there")
        width, height, rows = dungeon.read_png(path)
        pixels = [p for row in rows for p in row]
        seen = [p for p in pixels if p[3]]
        require((width, height) == (32, 32), f"{name}: {width}×{height}, not 32×32")
        require(all(p[3] in (0, 255) for p in pixels), f"{name}: half-transparent pixels")
        require(2 <= len(set(seen)) <= 16, f"{name}: {len(set(seen))} colours, not 2 to 16")
        require(len(seen) >= 40, f"{name}: {len(seen)} pixels are hardly a sprite")
        told = story(path)
        require(told["prompt"] == prompt and told["seed"] == int(seed), f"{name}: drawn from {told['prompt']!r}")
        pictures[name] = rows
    require(len({str(rows) for rows in pictures.values()}) == len(pictures), "two sprites are the same picture")
    names = [path.stem for path in (ROOT / "assets/generated/sprites").glob("*.png")]
    require(sorted(names) == sorted(pictures), "assets/generated/sprites holds other sprites than dungeon.tsv names")

    sheet = json.loads((GAME / "assets/sheets/dungeon.json").read_text())
    _, _, rows = dungeon.read_png(GAME / "assets/sheets" / sheet["meta"]["image"])
    frames = {Path(name).stem: frame["frame"] for name, frame in sheet["frames"].items()}
    require(sorted(frames) == sorted(pictures), "the sheet holds other sprites than the game")
    for name, at in frames.items():
        part = [row[at["x"]:at["x"] + at["w"]] for row in rows[at["y"]:at["y"] + at["h"]]]
        require(part == pictures[name], f"{name}: the sheet shows something else")
    sparky("validate", *sorted((GAME / "assets/sprites").glob("*.png")), "--profile", ROOT / "assets/dungeon.toml")
    written = (ROOT / "docs/deployment.md").read_text()
    told = subprocess.run(["sh", ROOT / "assets/make_dungeon.sh", "--docs"], capture_output=True, text=True).stdout
    require(written and written == told, "docs/deployment.md is not what the manifest says")


def check_manifest():
    told = manifest()
    listed = {}
    for sprite in told["sprites"]:
        paths = sprite.get("frame_paths", [sprite["path"]])
        require(len(paths) == sprite["frames"] == len(sprite["sha256"]), f"{sprite['name']}: frames do not add up")
        listed.update(zip(paths, sprite["sha256"]))
    there = {f"sprites/{path.name}" for path in (GAME / "assets/sprites").iterdir()}
    require(set(listed) == there, f"listed or there, but not both: {sorted(set(listed) ^ there)}")
    require(told["sprite_count"] == len(told["sprites"]) > 0, "sprite_count is wrong")
    for path, digest in listed.items():
        found = hashlib.sha256((GAME / "assets" / path).read_bytes()).hexdigest()
        require(found == digest, f"{path}: is not the file that the manifest lists")


def with_copy(act):
    with tempfile.TemporaryDirectory() as directory:
        copy = Path(directory) / "game"
        shutil.copytree(GAME, copy)
        mirrored = Path(directory) / "item_sword.png"
        sparky("pixel", "mirror", copy / "assets/sprites/item_sword.png", "--axis", "vertical", "-o", mirrored)
        return act(copy, mirrored)


def tree(directory):
    return {str(path.relative_to(directory)): path.read_bytes() for path in directory.rglob("*") if path.is_file()}


def check_backup():
    def act(copy, mirrored):
        sword = copy / "assets/sprites/item_sword.png"
        old, before, told = sword.read_bytes(), tree(copy / "assets/sprites"), (copy / "assets/sprites_manifest.json").read_bytes()
        done = json.loads(sparky("deploy", mirrored, "--to", copy, "--profile", "plain", "--json"))
        require(sword.read_bytes() != old, "the sprite was not replaced")
        require((copy / done["backup"] / "sprites/item_sword.png").read_bytes() == old, "the backup is not what was there")
        sparky("deploy", "--rollback", "--to", copy)
        require(tree(copy / "assets/sprites") == before, "rolling back does not bring the sprites back")
        require((copy / "assets/sprites_manifest.json").read_bytes() == told, "nor the manifest")
    with_copy(act)


def check_game():
    with tempfile.TemporaryDirectory() as directory:
        shot = Path(directory) / "room.png"
        done = subprocess.run([sys.executable, GAME / "game.py", "--shot", shot], capture_output=True, text=True)
        require(done.returncode == 0, f"game.py: {done.stderr.strip()}")
        _, _, room = dungeon.read_png(shot)
    for name in {name for name, _, _ in wanted()} & set(dungeon.SPRITES.values()):
        story(GAME / "assets/sprites" / f"{name}.png")
        sign = next(s for s, n in dungeon.SPRITES.items() if n == name)
        y = next(i for i, row in enumerate(dungeon.ROOM) if sign in row)
        x = dungeon.ROOM[y].index(sign)
        _, _, rows = dungeon.read_png(GAME / "assets/sprites" / f"{name}.png")
        for v, line in enumerate(rows):
            for u, pixel in enumerate(line):
                require(pixel[3] == 0 or room[y * 32 + v][x * 32 + u] == pixel, f"the room does not show {name}")


def check_reload():
    def act(copy, mirrored):
        running = subprocess.Popen([sys.executable, copy / "game.py", "--watch", "--shot", copy / "room.png"],
                                   stdout=subprocess.PIPE, text=True)
        try:
            require(running.stdout.readline() == "drawn\n", "the game does not start")
            before = (copy / "room.png").read_bytes()
            sparky("deploy", mirrored, "--to", copy, "--profile", "plain")
            require(running.stdout.readline() == "loaded item_sword\n", "the game did not load what changed")
            require(running.stdout.readline() == "drawn\n", "the game did not draw again")
            require((copy / "room.png").read_bytes() != before, "the room looks as before")
        finally:
            running.terminate()
            running.wait()
    with_copy(act)


CHECKS = {"pipeline": check_pipeline, "manifest": check_manifest, "backup": check_backup, "game": check_game,
          "reload": check_reload}
if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in CHECKS:
        sys.exit(__doc__)
    try:
        CHECKS[sys.argv[1]]()
    except (OSError, KeyError, ValueError, dungeon.Broken) as error:
        require(False, repr(error))
