import math

import pytest

from labkit.course.notebook.comparison import DEFAULT, Tolerance, differences, share_used

HALF = Tolerance(atol=0.5)


@pytest.mark.parametrize(
    ("recorded", "got", "tolerance"),
    [
        ("91.40", "91.90", HALF),
        ("loss 0.3333333", "loss 0.3333334", DEFAULT),
        ("1.0e-09", "2.5e-07", DEFAULT),
        ("[ 0.1 -0.2]", "[-0.0000001 -0.2]", Tolerance(atol=0.2)),
        ("a    9.99 %\nb   10.50 %", "a  10.10 %\nb  10.50 %", HALF),
        ("1e30", "1.0000001e30", DEFAULT),
        ("nan", "nan", DEFAULT),
        ("0.5\n", "0.5", DEFAULT),
        ("", "", DEFAULT),
        ("−0.5…", "−0.6…", HALF),
    ],
)
def test_floats_within_tolerance_agree_whatever_their_width(recorded, got, tolerance):
    assert differences(recorded, got, tolerance) == []
    assert differences(got, recorded, tolerance) == []


@pytest.mark.parametrize(
    ("recorded", "got"),
    [
        ("91.40", "91.95"),
        ("12 cases", "13 cases"),
        ("12", "12.0"),
        ("50%", "51%"),
        ("conv1", "conv2"),
        ("layer1.0", "layer1.1"),
        ("torch 2.6.0", "torch 2.6.1"),
        ("1,234", "1,235"),
        ("a b", "ab"),
        ("a", "a\nb"),
        ("a\nb", "a b"),
        ("0.5", "nan"),
        ("nan", "0.5"),
        ("1e999", "5.0"),
        ("0.5", "1e999"),
        ("0.5 0.5", "0.5"),
        ("ok", ""),
    ],
)
def test_everything_else_must_be_the_same(recorded, got):
    assert differences(recorded, got, HALF)
    assert differences(got, recorded, HALF)


def test_a_limit_written_in_decimals_holds_exactly():
    assert differences("0.2", "0.3", Tolerance(rtol=0, atol=0.1)) == []
    assert differences("0.2", "0.3001", Tolerance(rtol=0, atol=0.1))


def test_every_place_is_named_with_its_line_and_both_numbers():
    found = differences("a 1.0\nb 2.0\nc 3", "a 1.0\nb 4.0\nc 5", HALF)
    assert found == [
        "line 2: recorded 2.0, got 4.0, apart by 2, tolerance 0.500002",
        "line 3: recorded 3, got 5, compared exactly",
    ]


def test_relative_tolerance_is_relative_to_what_was_recorded():
    assert differences("100.0", "109.0", Tolerance(rtol=0.1, atol=0)) == []
    assert differences("100.0", "111.0", Tolerance(rtol=0.1, atol=0))


def test_the_share_of_the_tolerance_is_that_of_the_number_furthest_off():
    assert share_used("a 1.0 b 2.0", "a 1.1 b 2.0", Tolerance(rtol=0, atol=0.4)) == pytest.approx(0.25)
    assert share_used("a 1.0 b 2.0", "a 1.0 b 2.0", Tolerance(0, 0)) == 0
    assert share_used("a 1.0", "a 1.5", Tolerance(rtol=0, atol=0.4)) == math.inf
    assert share_used("holds: x", "does not hold: x") == math.inf
