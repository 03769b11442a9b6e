#!/usr/bin/env python3
"""Pictures without a pixel grid, to measure how often `sparky pixel snap` accepts one: crops of the photographs that
scikit-image, scikit-learn and matplotlib install, and synthetic gradients, noise, blobs, shapes, text and smooth
enlargements.

Needs: pip install numpy pillow scikit-image scikit-learn matplotlib
Usage: negatives.py OUT [SPRITES]      then: snap_bench refuse OUT"""
import importlib.util
import pathlib
import random
import sys

import numpy
from PIL import Image, ImageDraw, ImageFilter, ImageFont

PHOTOS = {
    "skimage": ["data/" + name for name in (
        # not moon.png: it is an enlargement by whole pixels, and does have a grid
        "coffee.png camera.png astronaut.png gravel.png brick.png motorcycle_left.png hubble_deep_field.jpg page.png "
        "grass.png retina.jpg ihc.png rocket.jpg chelsea.png coins.png cell.png clock_motion.png").split()],
    "sklearn": ["datasets/images/flower.jpg", "datasets/images/china.jpg"],
    "matplotlib": ["mpl-data/sample_data/grace_hopper.jpg"],
}


def photos():
    for package, names in PHOTOS.items():
        root = pathlib.Path(importlib.util.find_spec(package).origin).parent
        for name in names:
            if (root / name).exists():
                yield Image.open(root / name).convert("RGB")


def photo_crop(rng, pictures):
    picture = rng.choice(pictures)
    side = rng.randint(120, min(picture.size))
    left, top = rng.randint(0, picture.width - side), rng.randint(0, picture.height - side)
    crop = picture.crop((left, top, left + side, top + side))
    size = rng.randint(128, 1024)
    return crop.resize((size, size), Image.BICUBIC) if rng.random() < 0.6 else crop


def field(rng, size, power):
    """Noise with a 1/f^power spectrum; 0 is white."""
    numbers = numpy.random.default_rng(rng.randrange(2**32))
    f = numpy.hypot(*numpy.meshgrid(numpy.fft.fftfreq(size), numpy.fft.fftfreq(size)))
    f[0, 0] = 1
    planes = []
    for _ in range(3):
        spectrum = numpy.fft.fft2(numbers.normal(size=(size, size))) / f**power
        plane = numpy.real(numpy.fft.ifft2(spectrum))
        planes.append(numpy.clip((plane - plane.mean()) / plane.std() * 50 + 128, 0, 255))
    return Image.fromarray(numpy.dstack(planes).astype(numpy.uint8))


def gradient(rng, size):
    y, x = numpy.mgrid[0:size, 0:size] / size
    waves = [rng.uniform(0, 4) * x + rng.uniform(0, 4) * y + rng.uniform(0, 6) for _ in range(3)]
    planes = [127 + 120 * numpy.sin(wave) for wave in waves]
    return Image.fromarray(numpy.dstack(planes).astype(numpy.uint8))


def shapes(rng, size):
    big = Image.new("RGB", (size * 4, size * 4), tuple(rng.randrange(256) for _ in range(3)))
    draw = ImageDraw.Draw(big)
    for _ in range(rng.randint(5, 40)):
        color = tuple(rng.randrange(256) for _ in range(3))
        x, y, r = rng.randrange(size * 4), rng.randrange(size * 4), rng.randint(size // 8, size)
        if rng.random() < 0.5:
            draw.ellipse((x - r, y - r, x + r, y + r), fill=color)
        else:
            draw.polygon([(x + rng.randint(-r, r), y + rng.randint(-r, r)) for _ in range(rng.randint(3, 7))], fill=color)
    return big.resize((size, size), Image.LANCZOS)


def text(rng, size):
    page = Image.new("RGB", (size, size), "white")
    draw, font = ImageDraw.Draw(page), ImageFont.load_default(rng.randint(10, 30))
    letters = "etaoin shrdlu cmfwyp vbgkjq xz"
    y = 4
    while y < size:
        draw.text((5, y), "".join(rng.choice(letters) for _ in range(120)), fill="black", font=font)
        y += rng.randint(14, 34)
    return page


def smooth_sprite(rng, sprites):
    sprite = Image.open(rng.choice(sprites)).convert("RGBA")
    ground = Image.new("RGBA", sprite.size, (90, 90, 110, 255))
    ground.alpha_composite(sprite)
    size = rng.randint(200, 800)
    return ground.convert("RGB").resize((size, size), Image.BICUBIC).filter(ImageFilter.GaussianBlur(size / 64))


def main():
    out = pathlib.Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    rng = random.Random(7)
    pictures = list(photos())
    sprites = sorted(pathlib.Path(sys.argv[2]).glob("mon/**/*.png")) if len(sys.argv) > 2 else []
    kinds = {
        "photo": (200, lambda: photo_crop(rng, pictures)),
        "noise": (40, lambda: field(rng, rng.randint(128, 768), 0)),
        "cloud": (60, lambda: field(rng, rng.randint(128, 768), rng.uniform(0.5, 2))),
        "gradient": (40, lambda: gradient(rng, rng.randint(128, 768))),
        "shapes": (60, lambda: shapes(rng, rng.randint(128, 768))),
        "text": (40, lambda: text(rng, rng.randint(200, 768))),
    }
    if sprites:
        kinds["smoothsprite"] = (60, lambda: smooth_sprite(rng, sprites))
    for kind, (count, make) in kinds.items():
        for i in range(count):
            picture = make()
            if i % 3 == 2:
                picture.save(out / f"{kind}-{i:03}.jpg", quality=rng.randint(60, 95))
            else:
                picture.save(out / f"{kind}-{i:03}.png", compress_level=1)


main()
