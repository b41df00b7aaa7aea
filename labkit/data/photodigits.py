"""photodigits10 and photodigits100: the embedded data sets, built offline from scikit-learn's files.

Scikit-learn's 1,797 handwritten digits (8×8, levels 0–16) are pasted onto crops of its two bundled
photographs. Every draw is an integer from one seeded NumPy generator and every pixel is integer
arithmetic, so every machine builds the same bytes, those of :data:`SHA256`.

No digit occurs in two splits, and test images use halves of the photographs that training never sees.
"""

from __future__ import annotations

import functools

import numpy as np

from labkit.data.pasting import (
    PARTS,
    SIDE,
    ByteArray,
    Difficulty,
    IntArray,
    blend,
    checksum,
    contrasting_colours,
    photo_columns,
    place_glyphs,
    random_patches,
    uniform,
)

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

SEED = 20240917
SIZES = {
    10: {"train": 9_000, "validation": 1_000, "test": 2_000},
    100: {"train": 18_000, "validation": 2_000, "test": 2_000},
}
GLYPH_COUNTS = {"train": 1_097, "validation": 200, "test": 500}
CHUNK = 1_000  # images drawn at a time, to bound memory; part of the definition of the data


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


@functools.cache
def digits_in_images(part: str, class_count: int) -> IntArray:
    """Return which handwritten digits each image of a split shows.

    The split is drawn once more for it, the first time.

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
    digits = _draw_part(part, class_count, DIFFICULTY[class_count])[2]
    digits.setflags(write=False)  # all callers get this array
    return digits


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
    patches = random_patches(part, n, rng)  # (n, 32, 32, 3)
    colours = contrasting_colours(patches, rng)  # (n, 3)
    opacity = uniform(rng, difficulty.opacity, n)
    digit_count = 1 if class_count == 10 else 2
    labels = np.zeros(n, np.int64)
    alpha = np.zeros((n, SIDE, SIDE), np.int64)  # 0..256
    digits = np.zeros((n, digit_count), np.int64)
    for place in range(digit_count):
        centre = SIDE * (2 * place + 1) // digit_count  # in half pixels
        digits[:, place], values, drawn = _random_glyphs(part, n, centre, difficulty, rng)
        labels = 10 * labels + values
        alpha = np.maximum(alpha, drawn)
    images = blend(patches, colours, alpha * opacity[:, None, None], difficulty.noise, rng)
    return images, labels.astype(np.uint8), digits


def _random_glyphs(
    part: str, n: int, centre: int, difficulty: Difficulty, rng: np.random.Generator
) -> tuple[IntArray, IntArray, IntArray]:
    """Draw digits: their indices, values ``(n,)``, and coverage ``(n, 32, 32)`` in 0..256."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    chosen = rng.choice(glyphs_of(part), size=n)
    strokes = np.pad(digits.images[chosen].astype(np.int64), ((0, 0), (2, 2), (2, 2)))  # (n, 12, 12)
    coverage = place_glyphs(strokes, 8, centre, difficulty, rng)
    return chosen.astype(np.int64), digits.target[chosen].astype(np.int64), coverage
