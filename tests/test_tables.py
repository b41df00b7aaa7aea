import json
import math
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.tables import (
    TABLE_MIME,
    aligned,
    cell_text,
    markdown_table,
    numeric_columns,
    show_table,
    table_bundle,
)

TITLE = "Pruned & retrained <layers>"
COLUMNS = ["layer", "weights", "zeros (%)", "kept"]
ROWS = [["conv1", 432, 31.024, True], ["linear <fc>", 640, None, False]]


class Cells(HTMLParser):
    """The text of every cell, heading and caption, by tag."""

    def __init__(self):
        super().__init__()
        self.texts = {"td": [], "th": [], "caption": []}
        self.tag = None
        self.scopes = []

    def handle_starttag(self, tag, attributes):
        self.tag = tag
        if tag in self.texts:
            self.texts[tag].append("")
        if tag == "th":
            self.scopes.append(dict(attributes).get("scope"))

    def handle_data(self, data):
        if self.tag in self.texts:
            self.texts[self.tag][-1] += data


def cells_of(html):
    parser = Cells()
    parser.feed(html)
    return parser


def test_the_text_is_aligned_with_numbers_to_the_right():
    assert table_bundle(TITLE, COLUMNS, ROWS)["text/plain"].splitlines() == [
        "Pruned & retrained <layers>",
        "layer        weights  zeros (%)  kept",
        "conv1            432      31.02  True",
        "linear <fc>      640          –  False",
    ]


def test_the_html_holds_the_same_cells_with_a_caption_and_headers_for_screen_readers():
    cells = cells_of(table_bundle(TITLE, COLUMNS, ROWS)["text/html"])
    assert cells.texts["caption"] == [TITLE]
    assert cells.texts["th"] == COLUMNS
    assert cells.scopes == ["col"] * 4
    assert cells.texts["td"] == ["conv1", "432", "31.02", "True", "linear <fc>", "640", "–", "False"]


def test_the_data_keep_every_digit_and_can_be_stored_as_json():
    data = table_bundle(TITLE, COLUMNS, ROWS, digits=1)[TABLE_MIME]
    assert json.loads(json.dumps(data)) == {"title": TITLE, "columns": COLUMNS, "rows": ROWS, "digits": 1}


@pytest.mark.parametrize(("digits", "text"), [(0, "31"), (1, "31.0"), (4, "31.0240")])
def test_decimals_are_as_many_as_asked_for_and_integers_have_none(digits, text):
    shown = table_bundle("t", ["value", "count"], [[31.024, 7]], digits=digits)["text/plain"]
    assert shown.splitlines()[-1].split() == [text, "7"]


def test_a_table_without_rows_shows_its_headings():
    assert table_bundle("Nothing", ["a", "b"], [])["text/plain"] == "Nothing\na  b"


@settings(deadline=None, derandomize=True)
@given(
    st.integers(1, 4).flatmap(
        lambda width: st.lists(
            st.lists(
                st.integers(-999, 999) | st.floats(-1e3, 1e3) | st.none(), min_size=width, max_size=width
            ),
            min_size=1,
            max_size=5,
        )
    )
)
def test_numbers_of_a_column_end_at_the_same_place(rows):
    names = [f"c{index}" for index in range(len(rows[0]))]
    lines = table_bundle("t", names, rows)["text/plain"].splitlines()[1:]
    assert len({len(line) for line in lines}) == 1
    assert all(len(line.split()) == len(names) for line in lines)


@pytest.mark.parametrize("row", [[1], [1, 2, 3]])
def test_a_row_of_the_wrong_length_is_refused_by_number(row):
    with pytest.raises(ValueError, match=rf"'Layers', row 1: {len(row)} cells"):
        table_bundle("Layers", ["a", "b"], [[1, 2], row])


def test_showing_a_table_displays_its_bundle_once(monkeypatch):
    shown = []
    monkeypatch.setattr(
        "IPython.display.display", lambda *bundle, **options: shown.append((bundle, options))
    )
    show_table(TITLE, COLUMNS, ROWS, digits=3)
    assert shown == [((table_bundle(TITLE, COLUMNS, ROWS, digits=3),), {"raw": True})]


def test_the_last_column_is_wrapped_below_itself():
    rows = [("exercise", "points", "verdict"), ("02.1", "15", "one two three four"), ("02.2", "5", "")]
    assert aligned(rows, right=(False, True, False), width=28).splitlines() == [
        "exercise  points  verdict",
        "02.1          15  one two",
        "                  three four",
        "02.2           5",
    ]


def test_rows_of_different_lengths_are_refused_and_no_rows_give_no_text():
    with pytest.raises(ValueError, match="shorter"):
        aligned([("a", "b"), ("c",)])
    assert aligned([]) == ""


@pytest.mark.parametrize(
    ("cell", "text"),
    [(1e-7, "1e-07"), (2 / 3, "0.666667"), (3.0, "3"), (3, "3"), ("3.0", "3.0"), (True, "True")],
)
def test_without_decimals_given_a_float_has_six_significant_digits(cell, text):
    assert cell_text(cell) == text


def test_a_column_with_a_text_or_a_truth_value_is_not_numeric():
    assert numeric_columns([[1, None, True, 2.5], [2.5, None, 1, "–"]], 4) == [True, True, False, False]


def test_nan_and_infinities_are_shown_and_stored_as_valid_json():
    bundle = table_bundle("Losses", ["model", "loss"], [["a", math.nan], ["b", -math.inf], ["c", 0.5]])
    assert bundle["text/plain"].splitlines()[1:] == [
        "model  loss",
        "a       nan",
        "b      -inf",
        "c      0.50",
    ]
    stored = json.loads(json.dumps(bundle[TABLE_MIME], allow_nan=False))
    assert stored["rows"] == [["a", "nan"], ["b", "-inf"], ["c", 0.5]]
    assert "| --- | ---: |" in markdown_table(stored)
