"""photoletters: A–Z and a–z from fonts, pasted onto the photographs as photodigits pastes its digits.

It is what lab 11's backbone is trained on before it sees handwritten digits. No font occurs in two
splits, and test images use halves of the photographs that training never sees.
"""

from __future__ import annotations

import string

import numpy as np

from labkit.data.glyphs import CAPITAL_CELLS, render_letters
from labkit.data.pasting import (
    PARTS,
    ByteArray,
    Difficulty,
    IntArray,
    blend,
    contrasting_colours,
    place_glyphs,
    random_patches,
    uniform,
)

__all__ = ["CLASSES", "FONTS", "SHA256", "SIZES", "build"]

SEED = 20261130
CLASSES = tuple(string.ascii_uppercase + string.ascii_lowercase)
SIZES = {"train": 18_000, "validation": 1_000, "test": 2_000}
CHUNK = 1_000  # images drawn at a time, to bound memory; part of the definition of the data
DIFFICULTY = Difficulty(opacity=(90, 256), noise=12, height=(16, 24), degrees=18, shift=3)
FONTS = {
    "train": (
        "DejaVuSans",
        "DejaVuSans-Bold",
        "DejaVuSans-BoldOblique",
        "DejaVuSansMono",
        "DejaVuSansMono-Bold",
        "DejaVuSansMono-Oblique",
        "DejaVuSerif",
        "DejaVuSerif-Bold",
        "DejaVuSerif-Italic",
        "STIXGeneral",
        "STIXGeneralBolIta",
        "STIXGeneralItalic",
    ),
    "validation": ("DejaVuSansMono-BoldOblique", "STIXGeneralBol"),
    "test": ("DejaVuSans-Oblique", "DejaVuSerif-BoldItalic"),
}

# Of the arrays that build() returns; recorded numbers hold for these only.
SHA256 = "9a2f45b5a55d6c762233a006a90e63f28f21e22346d34f71d6917d0735b6c3b9"


def build() -> dict[str, ByteArray]:
    """Draw every image of photoletters.

    Returns:
        ``{"train_images": (n, 3, 32, 32) uint8, "train_labels": (n,) uint8, …}`` for the three parts.
    """
    arrays: dict[str, ByteArray] = {}
    for part in PARTS:
        rng = np.random.default_rng([SEED, len(CLASSES), PARTS.index(part)])
        strokes = np.stack([render_letters(f"{font}.ttf", "".join(CLASSES)) for font in FONTS[part]])
        chunks = [_draw(part, strokes, CHUNK, rng) for _ in range(SIZES[part] // CHUNK)]
        images, labels = zip(*chunks, strict=True)
        arrays |= {f"{part}_images": np.concatenate(images), f"{part}_labels": np.concatenate(labels)}
    return arrays


def _draw(part: str, strokes: IntArray, n: int, rng: np.random.Generator) -> tuple[ByteArray, ByteArray]:
    """Draw ``n`` images ``(n, 3, 32, 32)`` with labels ``(n,)``; ``strokes`` is (fonts, 52, 20, 20)."""
    patches = random_patches(part, n, rng)
    colours = contrasting_colours(patches, rng)
    opacity = uniform(rng, DIFFICULTY.opacity, n)
    labels = rng.integers(len(CLASSES), size=n)
    fonts = rng.integers(len(strokes), size=n)
    alpha = place_glyphs(strokes[fonts, labels], CAPITAL_CELLS, 32, DIFFICULTY, rng)
    images = blend(patches, colours, alpha * opacity[:, None, None], DIFFICULTY.noise, rng)
    return images, labels.astype(np.uint8)
