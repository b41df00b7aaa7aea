"""Letters as small pictures, rasterized from the outlines of the fonts that matplotlib ships.

A font rasterizer such as FreeType hints and rounds differently from version to version. Outlines are
integers in the font file, and everything here is integer arithmetic, so every machine gets the same
levels. Source of the fonts: DejaVu 2.37 and STIX 1.1, whose licences lie beside them.
"""

from __future__ import annotations

from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np
from fontTools.ttLib import TTFont

from labkit.data.pasting import IntArray

__all__ = ["CAPITAL_CELLS", "CELLS", "rasterize", "render_letters"]

CELLS = 20  # side of a picture, in cells
CAPITAL_CELLS = 12  # height of a capital H
FREE_CELLS = CELLS - 2  # a margin of one cell stays empty on each side
SAMPLES = 4  # sample points per cell and direction, so levels go from 0 to 16
SEGMENTS = 8  # straight pieces per curve
UNIT = 2 * SEGMENTS**2  # a font unit in the coordinates of contours

Contour = IntArray  # (points, 2): x to the right, y upwards, in 1/UNIT font units


def render_letters(font_file: str, letters: str) -> IntArray:
    """Return the pictures of ``letters`` in a font of matplotlib, ``(letters, 20, 20)``, levels 0..16.

    Args:
        font_file: such as ``"DejaVuSans.ttf"``.
        letters: characters that the font has.

    Raises:
        RuntimeError: if matplotlib's fonts lack the file.

    >>> render_letters("DejaVuSans.ttf", "I")[0, 10].tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 12, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    """
    path = _font_folder() / font_file
    if not path.is_file():
        raise RuntimeError(
            f"{path} is missing: this matplotlib ships other fonts than the version in constraints.txt, "
            "or a distribution has removed them; install matplotlib with pip."
        )
    with TTFont(path) as font:
        outlines = {letter: _contours(font, letter) for letter in {*letters, "H"}}
    capital = np.concatenate(outlines["H"])[:, 1]
    capital_height = int(capital.max() - capital.min())
    return np.stack([rasterize(outlines[letter], capital_height) for letter in letters])


def rasterize(contours: list[Contour], capital_height: int) -> IntArray:
    """Fill contours by the nonzero winding rule and return ``(20, 20)`` levels in 0..16.

    The letter is centred. A capital is :data:`CAPITAL_CELLS` cells high, and a letter that would not fit
    is shrunk.

    Args:
        contours: closed, without the first point repeated.
        capital_height: in the coordinates of the contours.
    """
    points = np.concatenate(contours)
    low, high = points.min(axis=0), points.max(axis=0)
    fitting = -(-int((high - low).max()) * CAPITAL_CELLS // FREE_CELLS)
    height = max(capital_height, fitting)  # as many units as CAPITAL_CELLS cells
    # One sample is height / (CAPITAL_CELLS · SAMPLES) units; times `scale`, all positions are integers.
    scale, step, side = 2 * CAPITAL_CELLS * SAMPLES, 2 * height, CELLS * SAMPLES
    origin = scale * (low + high) // 2 - step * side // 2
    winding = np.zeros((side, side + 1), np.int64)
    for contour in contours:
        positions = scale * contour - origin - height  # 0: the centre of the first sample
        for start, end in pairwise([*positions, positions[0]]):
            _add_edge(winding, start, end, step)
    inside = winding[::-1, :side].cumsum(axis=1) != 0  # row 0 is at the top
    blocks = inside.reshape(CELLS, SAMPLES, CELLS, SAMPLES)
    return blocks.sum(axis=(1, 3))


def _add_edge(winding: IntArray, start: IntArray, end: IntArray, step: int) -> None:
    """Add ±1 in each sample row that the edge crosses, at the first sample to the right of it."""
    (x0, y0), (x1, y1) = (start, end) if start[1] < end[1] else (end, start)
    rows = np.arange(-(-y0 // step), -(-y1 // step))  # y0 <= row · step < y1
    if len(rows):
        run, rise = x1 - x0, y1 - y0
        columns = -(-(x0 * rise + (rows * step - y0) * run) // (rise * step))
        winding[rows, columns] += 1 if start[1] < end[1] else -1


def _contours(font: TTFont, letter: str) -> list[Contour]:
    """Return the contours of a letter, its curves cut into straight pieces."""
    glyphs = font["glyf"]
    points, ends, on_curve = glyphs[font.getBestCmap()[ord(letter)]].getCoordinates(glyphs)
    starts = [0, *(end + 1 for end in ends)]
    return [
        _flatten(np.array(points[start:stop], np.int64), [flag & 1 for flag in on_curve[start:stop]])
        for start, stop in pairwise(starts)
    ]


def _flatten(points: IntArray, on_curve: list[int]) -> Contour:
    """Turn TrueType's quadratic curves into straight pieces; ``on_curve`` marks their end points."""
    doubled: list[tuple[IntArray, int]] = []  # twice the points, with the implied ones between controls
    for index, (point, flag) in enumerate(zip(points, on_curve, strict=True)):
        if not flag and not on_curve[index - 1]:
            doubled.append((point + points[index - 1], 1))
        doubled.append((2 * point, flag))
    first = next(index for index, (_, flag) in enumerate(doubled) if flag)
    ring = [*doubled[first:], *doubled[: first + 1]]
    pieces: list[IntArray] = []
    for index, (point, flag) in enumerate(ring[1:], start=1):
        if flag:
            pieces.append(SEGMENTS**2 * point)
            continue
        start, end = ring[index - 1][0], ring[index + 1][0]
        for t in range(1, SEGMENTS):
            rest = SEGMENTS - t
            pieces.append(rest**2 * start + 2 * rest * t * point + t**2 * end)
    return np.array(pieces)


def _font_folder() -> Path:
    """Return the folder of matplotlib's fonts; matplotlib itself is not imported."""
    spec = find_spec("matplotlib")
    if spec is None or spec.origin is None:
        raise RuntimeError("matplotlib is not installed, and photoletters is built from its fonts.")
    return Path(spec.origin).parent / "mpl-data" / "fonts" / "ttf"
