from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from labkit.data import glyphs
from labkit.data.glyphs import CAPITAL_CELLS, CELLS, rasterize, render_letters

UNIT = 100  # font units per cell


def box(left, bottom, right, top):
    """A rectangle in cells from the centre, counter-clockwise."""
    return UNIT * np.array([[left, bottom], [right, bottom], [right, top], [left, top]])


def filled(*contours):
    return rasterize([np.asarray(contour, np.int64) for contour in contours], CAPITAL_CELLS * UNIT)


def test_a_square_fills_whole_cells_and_nothing_else():
    expected = np.zeros((CELLS, CELLS), int)
    expected[6:14, 7:13] = 16
    assert np.array_equal(filled(box(-3, -4, 3, 4)), expected)


def test_a_cell_that_is_covered_by_a_quarter_has_a_quarter_of_the_levels():
    levels = filled(box(-1.5, -1.5, 1.5, 1.5))
    assert levels[8:12, 8:12].tolist() == [[4, 8, 8, 4], [8, 16, 16, 8], [8, 16, 16, 8], [4, 8, 8, 4]]


def test_a_triangle_covers_the_samples_below_its_slope():
    levels = filled(UNIT * np.array([[-4, -4], [4, -4], [4, 4]]))
    assert levels[13].tolist() == [0] * 6 + [10] + [16] * 7 + [0] * 6  # 1 + 2 + 3 + 4 samples
    assert abs(levels.sum() / 16 - 32) < 2


@pytest.mark.parametrize(("hole", "centre"), [(box(-1, -1, 1, 1)[::-1], 0), (box(-1, -1, 1, 1), 16)])
def test_only_a_contour_in_the_other_direction_makes_a_hole(hole, centre):
    levels = filled(box(-3, -3, 3, 3), hole)
    assert levels[10, 10] == centre
    assert levels[7, 7] == 16


def test_a_letter_that_does_not_fit_is_shrunk_to_the_free_cells():
    levels = filled(box(-20, -2, 20, 2))
    assert levels[:, 1].any()
    assert levels[:, -2].any()
    assert not levels[:, [0, -1]].any()


@pytest.mark.parametrize("font_file", ["DejaVuSerif-Bold.ttf", "STIXGeneralItalic.ttf"])
def test_letters_look_as_freetype_draws_them(font_file):
    letters = "AQgijW"
    path = Path(mpl.get_data_path(), "fonts", "ttf", font_file)
    font = ImageFont.truetype(str(path), 900, layout_engine=ImageFont.Layout.BASIC)
    capital = ink(font, "H").height
    for letter, levels in zip(letters, render_letters(font_file, letters), strict=True):
        picture = ink(font, letter)
        height = max(capital, max(picture.size) * CAPITAL_CELLS / (CELLS - 2))
        side = round(height / CAPITAL_CELLS * CELLS)
        canvas = Image.new("L", (side, side))
        canvas.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
        expected = np.asarray(canvas.resize((CELLS, CELLS), Image.Resampling.BOX)) / 255 * 16
        assert np.abs(levels - expected).mean() < 0.2, letter


def ink(font, letter):
    """The letter as FreeType draws it, without a margin."""
    canvas = Image.new("L", (1500, 1500))
    ImageDraw.Draw(canvas).text((250, 250), letter, fill=255, font=font)
    return canvas.crop(canvas.getbbox())


def test_a_missing_font_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(glyphs, "_font_folder", lambda: tmp_path)
    with pytest.raises(RuntimeError, match=r"DejaVuSans\.ttf is missing.*constraints\.txt"):
        render_letters("DejaVuSans.ttf", "a")
