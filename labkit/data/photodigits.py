"""photodigits10 and photodigits100: the embedded data sets, built offline from scikit-learn's files.

Scikit-learn's 1,797 handwritten digits (8×8, levels 0–16) are pasted onto crops of its two bundled
photographs. Every draw is an integer from one seeded NumPy generator and every pixel is integer
arithmetic, so every machine builds the same bytes, those of :data:`SHA256`.

No digit occurs in two splits, and test images use halves of the photographs that training never sees.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DIFFICULTY",
    "SHA256",
    "Difficulty",
    "build",
    "checksum",
    "digits_in_images",
    "glyphs_of",
    "photo_columns",
]

IntArray = NDArray[np.int64]
ByteArray = NDArray[np.uint8]

SEED = 20240917
SIDE = 32
PARTS = ("train", "validation", "test")
SIZES = {
    10: {"train": 9_000, "validation": 1_000, "test": 2_000},
    100: {"train": 18_000, "validation": 2_000, "test": 2_000},
}
GLYPH_COUNTS = {"train": 1_097, "validation": 200, "test": 500}
ZOOMS = (1, 2, 3)  # a patch is 32, 64 or 96 photo pixels wide
CHUNK = 1_000  # images drawn at a time, to bound memory; part of the definition of the data


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


DIFFICULTY = {
    10: Difficulty(opacity=(62, 256), noise=17, height=(18, 28), degrees=18, shift=4),
    100: Difficulty(opacity=(90, 256), noise=12, height=(14, 19), degrees=12, shift=1),
}

# Of the arrays that build() returns; recorded numbers hold for these only.
SHA256 = {
    10: "63805080b15ff580d34a8eeee732766b0b030f0521dc02c6c583af5f96086340",
    100: "60983db38747536f8d5b5e145add11bd8cfaded8bc99edccf4175a4471bd764c",
}


def glyphs_of(part: str) -> IntArray:
    """Return the indices into ``sklearn.datasets.load_digits()`` of the digits that ``part`` may use.

    >>> [len(glyphs_of(part)) for part in PARTS]
    [1097, 200, 500]
    """
    order = np.random.default_rng(SEED).permutation(sum(GLYPH_COUNTS.values()))
    start = sum(GLYPH_COUNTS[earlier] for earlier in PARTS[: PARTS.index(part)])
    return np.sort(order[start : start + GLYPH_COUNTS[part]])


def photo_columns(part: str, width: int) -> tuple[int, int]:
    """Return the half-open range of photo columns that ``part`` may crop from; test has the right half.

    >>> photo_columns("train", 640), photo_columns("test", 640)
    ((0, 320), (320, 640))
    """
    return (width // 2, width) if part == "test" else (0, width // 2)


def build(class_count: int, difficulty: Difficulty | None = None) -> dict[str, ByteArray]:
    """Draw every image of photodigits10 or photodigits100.

    Args:
        class_count: 10 (one digit per image) or 100 (two digits side by side).
        difficulty: the ranges to draw from; the data set's own by default.

    Returns:
        ``{"train_images": (n, 3, 32, 32) uint8, "train_labels": (n,) uint8, …}`` for the three parts.

    Raises:
        ValueError: if ``class_count`` is neither 10 nor 100.
    """
    if class_count not in SIZES:
        raise ValueError(f"photodigits has 10 or 100 classes, got {class_count}.")
    arrays: dict[str, ByteArray] = {}
    for part in PARTS:
        images, labels, _ = _draw_part(part, class_count, difficulty or DIFFICULTY[class_count])
        arrays |= {f"{part}_images": images, f"{part}_labels": labels}
    return arrays


def digits_in_images(part: str, class_count: int) -> IntArray:
    """Return which handwritten digits each image of a split shows; the split is drawn once more.

    Images that share a digit are not independent, which a standard error has to respect
    (:mod:`labkit.training.paired`).

    Args:
        part: ``"train"``, ``"validation"`` or ``"test"``.
        class_count: 10 or 100.

    Returns:
        Indices into ``sklearn.datasets.load_digits()``: ``(n, 1)`` for 10 classes, ``(n, 2)`` for 100.

    Raises:
        ValueError: if there is no such split.
    """
    if part not in PARTS:
        raise ValueError(f"there is no split {part!r}; there are {', '.join(PARTS)}.")
    return _draw_part(part, class_count, DIFFICULTY[class_count])[2]


def checksum(arrays: dict[str, ByteArray]) -> str:
    """Return the SHA-256 over names, shapes and bytes, in the order of the names."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _draw_part(
    part: str, class_count: int, difficulty: Difficulty
) -> tuple[ByteArray, ByteArray, IntArray]:
    """Draw a whole split: images ``(n, 3, 32, 32)``, labels ``(n,)``, and the digits they show."""
    rng = np.random.default_rng([SEED, class_count, PARTS.index(part)])
    size = SIZES[class_count][part]
    chunks = [_draw(part, class_count, CHUNK, difficulty, rng) for _ in range(size // CHUNK)]
    images, labels, digits = zip(*chunks, strict=True)
    return np.concatenate(images), np.concatenate(labels), np.concatenate(digits)


def _draw(
    part: str, class_count: int, n: int, difficulty: Difficulty, rng: np.random.Generator
) -> tuple[ByteArray, ByteArray, IntArray]:
    """Draw ``n`` images ``(n, 3, 32, 32)`` with labels ``(n,)`` and digits ``(n, digits per image)``."""
    patches = _random_patches(part, n, rng)  # (n, 32, 32, 3)
    colours = _contrasting_colours(patches, rng)  # (n, 3)
    opacity = _uniform(rng, difficulty.opacity, n)
    digit_count = 1 if class_count == 10 else 2
    labels = np.zeros(n, np.int64)
    alpha = np.zeros((n, SIDE, SIDE), np.int64)  # 0..256
    digits = np.zeros((n, digit_count), np.int64)
    for place in range(digit_count):
        centre = SIDE * (2 * place + 1) // digit_count  # in half pixels
        digits[:, place], values, drawn = _random_glyphs(part, n, centre, difficulty, rng)
        labels = 10 * labels + values
        alpha = np.maximum(alpha, drawn)
    weight = (alpha * opacity[:, None, None])[..., None]  # 0..65536
    pixels = (patches * (65_536 - weight) + colours[:, None, None, :] * weight + 32_768) >> 16
    pixels = np.clip(pixels + _noise(pixels.shape, difficulty.noise, rng), 0, 255)
    return pixels.astype(np.uint8).transpose(0, 3, 1, 2), labels.astype(np.uint8), digits


def _random_patches(part: str, n: int, rng: np.random.Generator) -> IntArray:
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


def _contrasting_colours(patches: IntArray, rng: np.random.Generator) -> IntArray:
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


def _random_glyphs(
    part: str, n: int, centre_half_px: int, difficulty: Difficulty, rng: np.random.Generator
) -> tuple[IntArray, IntArray, IntArray]:
    """Draw digits: their indices, values ``(n,)``, and coverage ``(n, 32, 32)`` in 0..256."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    chosen = rng.choice(glyphs_of(part), size=n)
    strokes = np.pad(digits.images[chosen].astype(np.int64), ((0, 0), (2, 2), (2, 2)))  # (n, 12, 12)
    height = _uniform(rng, (16 * difficulty.height[0], 16 * difficulty.height[1]), n)  # 1/16 px
    shift = _uniform(rng, (-16 * difficulty.shift, 16 * difficulty.shift), (2, n))
    turn = _uniform(rng, (-16 * difficulty.degrees, 16 * difficulty.degrees), n)  # 1/16 degree
    cos, sin = _rotation(difficulty.degrees)
    c, s = (table[turn + 16 * difficulty.degrees][:, None, None] for table in (cos, sin))
    # Distance of each pixel's centre from the digit's centre, in 1/16 px.
    pixel = 16 * np.arange(SIDE) + 8
    dy = pixel[:, None] - (16 * SIDE // 2 + shift[0])[:, None, None]
    dx = pixel - (8 * centre_half_px + shift[1])[:, None, None]
    scale = height[:, None, None]  # 8 glyph cells = height
    row = (8 * (c * dy - s * dx)) // scale  # glyph cells in 16.16 fixed point
    column = (8 * (s * dy + c * dx)) // scale
    coverage = _bilinear(strokes, row + (11 << 15), column + (11 << 15))  # centre of 12 cells: 5.5
    return chosen.astype(np.int64), digits.target[chosen].astype(np.int64), coverage


def _rotation(degrees: int) -> tuple[IntArray, IntArray]:
    """Return cosine and sine in 16.16 fixed point, for −degrees … degrees in steps of 1/16."""
    angles = [math.radians(step / 16) for step in range(-16 * degrees, 16 * degrees + 1)]
    cos = np.array([round(65_536 * math.cos(angle)) for angle in angles])
    sin = np.array([round(65_536 * math.sin(angle)) for angle in angles])
    return cos, sin


def _bilinear(glyphs: IntArray, row: IntArray, column: IntArray) -> IntArray:
    """Sample ``(n, 12, 12)`` levels 0..16 at 16.16 positions ``(n, h, w)``; 0..256, 0 outside."""
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


def _uniform(rng: np.random.Generator, bounds: tuple[int, int], size: int | tuple[int, ...]) -> IntArray:
    """Draw integers uniformly from ``bounds``, both ends included."""
    return rng.integers(bounds[0], bounds[1], size=size, endpoint=True)
