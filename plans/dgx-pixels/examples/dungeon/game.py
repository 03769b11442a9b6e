#!/usr/bin/env python3
"""A dungeon that draws itself with the sprites in assets/: a game's loader at its smallest. Needs Python alone.

    game.py                 draw the room in the terminal
    game.py --shot ROOM.png write the room as a picture
    game.py --watch         go on, and load a sprite again when it changes (Ctrl-C ends); says so on stdout

What it knows of the sprites comes from assets/sprites_manifest.json: `name` and `path`, as other loaders read it.
"""
import argparse
import json
import struct
import sys
import time
import zlib
from pathlib import Path

ASSETS = Path(__file__).resolve().parent / "assets"
TILE = 32
# What stands where: W wall, . floor, D door; the others stand on the floor.
ROOM = ["WWWWDWWWWW",
        "W..k...o.W",
        "W.d....p.W",
        "W....h..cW",
        "W.g....s.W",
        "WWWWWWWWWW"]
SPRITES = {"W": "dungeon_wall", ".": "dungeon_floor", "D": "dungeon_door", "k": "character_knight", "o": "monster_orc",
           "d": "monster_dragon", "h": "character_elf", "g": "monster_ghost", "p": "item_potion", "c": "item_book",
           "s": "item_sword"}


class Broken(Exception):
    pass


def read_png(path):
    """(width, height, rows of RGBA tuples) of a PNG with 8 bits a channel: RGBA, or indexed."""
    data = path.read_bytes()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise Broken(f"{path}: no PNG")
    at, packed, palette, alphas = 8, b"", b"", b""
    while at + 8 <= len(data):
        size, kind = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + size]
        if kind == b"IHDR":
            width, height, depth, colour, _, _, interlace = struct.unpack(">IIBBBBB", body)
        packed += body if kind == b"IDAT" else b""
        palette = body if kind == b"PLTE" else palette
        alphas = body if kind == b"tRNS" else alphas
        at += size + 12
    if depth != 8 or colour not in (3, 6) or interlace:
        raise Broken(f"{path}: only RGBA and indexed PNGs with 8 bits a channel are read")
    step = 4 if colour == 6 else 1
    raw, before, rows = zlib.decompress(packed), bytes(width * step), []
    for y in range(height):
        line = raw[y * (width * step + 1):(y + 1) * (width * step + 1)]
        before = unfilter(line[0], bytearray(line[1:]), before, step)
        if colour == 6:
            rows.append([tuple(before[i:i + 4]) for i in range(0, len(before), 4)])
        else:
            rows.append([tuple(palette[3 * i:3 * i + 3]) + (alphas[i] if i < len(alphas) else 255,) for i in before])
    return width, height, rows


def unfilter(kind, line, before, step):
    """Undoes PNG's row filters (PNG specification, section 9)."""
    for i in range(len(line)):
        left, up, corner = (line[i - step] if i >= step else 0), before[i], (before[i - step] if i >= step else 0)
        guess = left + up - corner
        paeth = min((abs(guess - left), 0, left), (abs(guess - up), 1, up), (abs(guess - corner), 2, corner))[2]
        line[i] = (line[i] + (0, left, up, (left + up) // 2, paeth)[kind]) & 255
    return bytes(line)


def write_png(path, rows):
    raw = b"".join(b"\0" + b"".join(bytes(p) for p in row) for row in rows)

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 6, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


class Game:
    def __init__(self):
        self.sprites, self.seen = {}, {}

    def load(self):
        """Loads what is new or has changed since; gives the names."""
        try:
            manifest = json.loads((ASSETS / "sprites_manifest.json").read_text())
            paths = {sprite["name"]: ASSETS / sprite["path"] for sprite in manifest["sprites"]}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Broken(f"{ASSETS / 'sprites_manifest.json'}: {error!r}; deploy sprites first: sparky deploy … --to "
                         f"{ASSETS.parent}")
        loaded = []
        for name in sorted(set(SPRITES.values())):
            if name not in paths:
                raise Broken(f"the manifest has no sprite '{name}'")
            stat = paths[name].stat()
            stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if self.seen.get(name) == stamp:
                continue
            width, height, rows = read_png(paths[name])
            if (width, height) != (TILE, TILE):
                raise Broken(f"{paths[name]}: {width}×{height} pixels, but tiles are {TILE}×{TILE}")
            self.sprites[name], self.seen[name] = rows, stamp
            loaded.append(name)
        return loaded

    def draw(self):
        out = [[(0, 0, 0, 255)] * (TILE * len(ROOM[0])) for _ in range(TILE * len(ROOM))]
        for y, row in enumerate(ROOM):
            for x, sign in enumerate(row):
                for name in ([] if sign in "W." else ["dungeon_floor"]) + [SPRITES[sign]]:
                    for v, line in enumerate(self.sprites[name]):
                        for u, pixel in enumerate(line):
                            if pixel[3] >= 128:
                                out[y * TILE + v][x * TILE + u] = pixel[:3] + (255,)
        return out


def print_room(rows):
    """Two pixels in each character cell."""
    for upper, lower in zip(rows[::4], rows[2::4]):
        print("".join("\x1b[38;2;%d;%d;%dm\x1b[48;2;%d;%d;%dm▀" % (a[:3] + b[:3]) for a, b in zip(upper[::2], lower[::2])) +
              "\x1b[0m")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shot", type=Path, metavar="ROOM.png", help="write the room as a picture")
    parser.add_argument("--watch", action="store_true", help="load sprites again when they change")
    options = parser.parse_args()
    game = Game()
    game.load()
    while True:
        room = game.draw()
        if options.shot:
            write_png(options.shot, room)
        elif not options.watch:
            print_room(room)
        if not options.watch:
            return 0
        print("drawn", flush=True)
        loaded = []
        while not loaded:
            time.sleep(0.05)
            try:
                loaded = game.load()
            except (Broken, OSError, zlib.error) as error:
                print(f"broken {error}", flush=True)
                return 1
        for name in loaded:
            print(f"loaded {name}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as error:
        print(f"game.py: error: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
