"""How glyphs are pasted onto crops of scikit-learn's two photographs, in integer arithmetic.

photodigits and photoletters share this. Every draw is an integer from a seeded NumPy generator, so every
machine makes the same pixels. Leaves out: which glyphs there are (:mod:`labkit.data.photodigits`,
:mod:`labkit.data.glyphs`).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "PARTS",
    "SIDE",
    "ByteArray",
    "Difficulty",
    "IntArray",
    "blend",
    "checksum",
    "contrasting_colours",
    "photo_columns",
    "place_glyphs",
    "random_patches",
    "uniform",
]

IntArray = NDArray[np.int64]
ByteArray = NDArray[np.uint8]

SIDE = 32
PARTS = ("train", "validation", "test")
ZOOMS = (1, 2, 3)  # a patch is 32, 64 or 96 photo pixels wide


@dataclass(frozen=True)
class Difficulty:
    """The ranges, both ends included, that decide how hard an image is to read.

    ``opacity`` and ``noise`` are on a 0–256 scale (noise: standard deviation of the grey level),
    ``height`` is the digit's height in pixels, ``degrees`` the largest rotation in either direction,
    ``shift`` the largest displacement in pixels.
    """

    opacity: tuple[int, int]
    noise: int
    height: tuple[int, int]
    degrees: int
    shift: int


def photo_columns(part: str, width: int) -> tuple[int, int]:
    """Return the half-open range of photo columns that ``part`` may crop from; test has the right half.

    >>> photo_columns("train", 640), photo_columns("test", 640)
    ((0, 320), (320, 640))
    """
    return (width // 2, width) if part == "test" else (0, width // 2)


def checksum(arrays: dict[str, ByteArray]) -> str:
    """Return the SHA-256 over names, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def random_patches(part: str, n: int, rng: np.random.Generator) -> IntArray:
    """Draw crops ``(n, 32, 32, 3)`` of random photo, zoom and position, from the half of ``part``."""
    photos = [_shrink(photo, zoom) for photo in _photos(part) for zoom in ZOOMS]
    which = rng.integers(len(photos), size=n)
    offset = np.arange(SIDE)
    patches = np.empty((n, SIDE, SIDE, 3), np.int64)
    for index, photo in enumerate(photos):
        rows = np.flatnonzero(which == index)
        top = rng.integers(photo.shape[0] - SIDE + 1, size=len(rows))[:, None, None]
        left = rng.integers(photo.shape[1] - SIDE + 1, size=len(rows))[:, None, None]
        patches[rows] = photo[top + offset[:, None], left + offset]
    return patches


def _photos(part: str) -> list[IntArray]:
    """Return the part's half of each of scikit-learn's photographs, ``(height, width, 3)``."""
    from sklearn.datasets import load_sample_images

    photos = [image.astype(np.int64) for image in load_sample_images().images]
    columns = [photo_columns(part, photo.shape[1]) for photo in photos]
    return [photo[:, start:stop] for photo, (start, stop) in zip(photos, columns, strict=True)]


def _shrink(photo: IntArray, factor: int) -> IntArray:
    """Average ``factor``×``factor`` blocks, rounding half up."""
    height, width = photo.shape[0] // factor, photo.shape[1] // factor
    blocks = photo[: height * factor, : width * factor]
    sums = blocks.reshape(height, factor, width, factor, 3).sum(axis=(1, 3))
    return (2 * sums + factor**2) // (2 * factor**2)


def contrasting_colours(patches: IntArray, rng: np.random.Generator) -> IntArray:
    """Draw a hue per image, ``(n, 3)``: dark where the patch is light, light where it is dark."""
    n = len(patches)
    hue = rng.integers(6 * 256, size=n)
    depth = rng.integers(40, 161, size=n)[:, None]  # 0: black or white, 256: the pure hue
    third = np.array([0, 512, 1024])
    distance = np.abs((hue[:, None] - third + 768) % 1536 - 768)  # 0..768 from red, green, blue
    pure = np.clip(512 - distance, 0, 255)
    dark, light = (pure * depth) >> 8, 255 - (((255 - pure) * depth) >> 8)
    luminance = patches.reshape(n, -1, 3).sum(axis=1) @ np.array([299, 587, 114])
    is_light = luminance > 127 * 1_000 * SIDE * SIDE
    return np.where(is_light[:, None], dark, light)


def place_glyphs(
    strokes: IntArray, cells: int, centre_half_px: int, difficulty: Difficulty, rng: np.random.Generator
) -> IntArray:
    """Draw size, place and rotation of each glyph, and return its coverage ``(n, 32, 32)`` in 0..256.

    Args:
        strokes: levels ``(n, k, k)`` in 0..16, with a margin of zeros.
        cells: how many of a glyph's cells make up the height that ``difficulty`` states.
        centre_half_px: column of the glyph's centre, in half pixels, before the shift.
        difficulty: the ranges to draw from.
        rng: the generator of the part.
    """
    n = len(strokes)
    height = uniform(rng, (16 * difficulty.height[0], 16 * difficulty.height[1]), n)  # 1/16 px
    shift = uniform(rng, (-16 * difficulty.shift, 16 * difficulty.shift), (2, n))
    turn = uniform(rng, (-16 * difficulty.degrees, 16 * difficulty.degrees), n)  # 1/16 degree
    cos, sin = _rotation(difficulty.degrees)
    c, s = (table[turn + 16 * difficulty.degrees][:, None, None] for table in (cos, sin))
    # Distance of each pixel's centre from the digit's centre, in 1/16 px.
    pixel = 16 * np.arange(SIDE) + 8
    dy = pixel[:, None] - (16 * SIDE // 2 + shift[0])[:, None, None]
    dx = pixel - (8 * centre_half_px + shift[1])[:, None, None]
    scale = height[:, None, None]  # cells = height
    row = (cells * (c * dy - s * dx)) // scale  # glyph cells in 16.16 fixed point
    column = (cells * (s * dy + c * dx)) // scale
    centre = (strokes.shape[1] - 1) << 15  # in 16.16 fixed point; of 12 cells it is 5.5
    return _bilinear(strokes, row + centre, column + centre)


def blend(
    patches: IntArray, colours: IntArray, alpha: IntArray, noise: int, rng: np.random.Generator
) -> ByteArray:
    """Lay colours ``(n, 3)`` over patches ``(n, 32, 32, 3)``, add noise, and return ``(n, 3, 32, 32)``.

    ``alpha``, ``(n, 32, 32)``, goes from 0 (the patch) to 65,536 (the colour).
    """
    weight = alpha[..., None]
    pixels = (patches * (65_536 - weight) + colours[:, None, None, :] * weight + 32_768) >> 16
    pixels = np.clip(pixels + _noise(pixels.shape, noise, rng), 0, 255)
    return pixels.astype(np.uint8).transpose(0, 3, 1, 2)


def _rotation(degrees: int) -> tuple[IntArray, IntArray]:
    """Return cosine and sine in 16.16 fixed point, for −degrees … degrees in steps of 1/16."""
    angles = [math.radians(step / 16) for step in range(-16 * degrees, 16 * degrees + 1)]
    cos = np.array([round(65_536 * math.cos(angle)) for angle in angles])
    sin = np.array([round(65_536 * math.sin(angle)) for angle in angles])
    return cos, sin


def _bilinear(glyphs: IntArray, row: IntArray, column: IntArray) -> IntArray:
    """Sample ``(n, k, k)`` levels 0..16 at 16.16 positions ``(n, h, w)``; 0..256, 0 outside."""
    last = glyphs.shape[1] - 2
    row, column = (np.clip(value, 0, (last << 16) + 0xFFFF) for value in (row, column))
    top, left = row >> 16, column >> 16
    down, right = (row & 0xFFFF) >> 8, (column & 0xFFFF) >> 8  # 0..255
    n = np.arange(len(glyphs))[:, None, None]
    upper = glyphs[n, top, left] * (256 - right) + glyphs[n, top, left + 1] * right
    lower = glyphs[n, top + 1, left] * (256 - right) + glyphs[n, top + 1, left + 1] * right
    return (upper * (256 - down) + lower * down + (1 << 11)) >> 12


def _noise(shape: tuple[int, ...], deviation: int, rng: np.random.Generator) -> IntArray:
    """Draw bell-shaped integer noise: the scaled sum of four uniform bytes (std 147.8)."""
    total = np.zeros(shape, np.int64)
    for _ in range(4):
        total += rng.integers(256, size=shape, dtype=np.uint8)
    return ((total - 510) * deviation * 2 + 147) // 295


def uniform(rng: np.random.Generator, bounds: tuple[int, int], size: int | tuple[int, ...]) -> IntArray:
    """Draw integers uniformly from ``bounds``, both ends included."""
    return rng.integers(bounds[0], bounds[1], size=size, endpoint=True)
