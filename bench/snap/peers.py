#!/usr/bin/env python3
"""Runs other tools for the same job on what `snap_bench make` wrote, at their defaults; those that always quantise
may use 256 colours, the most they all take.

Needs: pip install numpy pillow perfect-pixel proper-pixel-art unfake pixel-snapper
Usage: peers.py OUT [TOOL…]        then: snap_bench score OUT TOOL…

pixel-snapper is the Python binding of spritefusion-pixel-snapper; unfake is unfake.js for Python."""
import contextlib
import io
import pathlib
import sys
import time

import numpy
from PIL import Image


def perfect_pixel(source, target):
    from perfect_pixel import get_perfect_pixel

    picture = numpy.array(Image.open(source).convert("RGB"))
    _, _, out = get_perfect_pixel(picture)
    if out is not None:
        Image.fromarray(numpy.asarray(out).astype(numpy.uint8)).save(target)


def proper_pixel_art(source, target):
    from proper_pixel_art import pixelate

    pixelate(Image.open(source)).image.save(target)


def unfake(source, target):
    from unfake.pixel import process_image_sync

    out = process_image_sync(str(source), max_colors=256)["image"]
    (out if isinstance(out, Image.Image) else Image.fromarray(out)).save(target)


def pixel_snapper(source, target):
    from pixel_snapper import PixelSnapperConfig, process_image

    target.write_bytes(process_image(source.read_bytes(), PixelSnapperConfig(k_colors=256)))


TOOLS = {f.__name__: f for f in (pixel_snapper, unfake, proper_pixel_art, perfect_pixel)}


def main():
    out = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or TOOLS:
        (out / name).mkdir(exist_ok=True)
        seconds, failures = 0.0, {}
        for source in sorted((out / "degraded").glob("*.png")):
            start = time.process_time()
            try:
                with contextlib.redirect_stdout(io.StringIO()):
                    TOOLS[name](source, out / name / source.name)
            except Exception as error:  # a peer that fails on a picture gave no answer for it
                failures[type(error).__name__ + ": " + str(error)[:60]] = source.name
            seconds += time.process_time() - start
        print(name, f"{seconds:.1f} s of CPU,", failures or "no failure", flush=True)


main()
