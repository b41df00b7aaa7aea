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
        ("12", "12.0", DEFAULT),
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
    sentences = differences("a 1.0\nb 2.0\nc 3", "a 1.0\nb 4.0\nc 5", HALF)
    assert sentences == [
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


EQUAL = """
-0 | 0
+3 | 3
007 | 7
10 | 10.0
10. | 10
1 | 0.9999999
0.9999999 | 1
1,000 | 1000
1,234,567 | 1234567
999.9 | 1,000.1
-1,000.0 | -999.9
12.50ms | 12.51ms
12.50 ms | 12.51 ms
3.20x | 3.21x
3x | 3x
50.0% | 50.1%
1.5µs | 1.501µs
2.5kB | 2.501kB
1e3 | 1000.0
1e3 | 1,000
1E+3 | 1000
1e-9 | 1.001e-9
.5 | 0.5
(1.5+2.5j) | (1.5+2.501j)
(1.5-2.5j) | (1.501-2.5j)
(1.5+0.0j) | (1.5-0.0j)
2.5j | 2.501j
-0.0 | 0.0
\x1b[31m0.500\x1b[0m | \x1b[31m0.501\x1b[0m
\x1b[1m12\x1b[0m | \x1b[1m12\x1b[0m
[1.0, 2.0] | [1.001, 2.0]
[1.,2.] | [1., 2.]
tensor([0.5000]) | tensor([0.5001])
{'a': 1.0} | {'a': 1.001}
a=1.0 | a=1.001
loss:0.500 | loss:0.501
1.0/2.0 | 1.001/2.0
5.0 % of 3 | 5.01 % of 3
nan | nan
inf | inf
1e400 | 1e400
-inf | -inf
x   1 | x 1
2026-11-26 | 2026-11-26
1.5-2.5 | 1.501-2.5
(3, 4) | (3, 4)
conv1 0.5 | conv1 0.501
99999999999999999999999 | 99999999999999999999999
"""
DIFFERENT = """
0 | 1
-1 | 1
12 | 13
12 | 13.0
1,234 | 1,235
1,000 | 1,001
12ms | 13ms
3x | 4x
3.20x | 3.20y
12.50ms | 12.50s
12.50 ms | 14.50 ms
10.0 | 10.5
-0.5 | 0.5
1e3 | 1e4
1e-3 | 1e3
1.2.3 | 1.2.4
5.0rc1 | 5.1rc1
conv1 | conv2
layer1.0 | layer1.1
layer2.0 | layer2.001
3x3 | 3x4
0x1f | 0x1e
v1.0 | v1.001
a1.0 | a1.001
True | False
True | 1
0.0 | False
nan | 0
inf | 1e400x
inf | -inf
nan | inf
1.0 | None
(1.5+2.5j) | (1.5-2.5j)
(1.5+2.5j) | (1.5+2.9j)
2.5j | 2.5
\x1b[31m0.500\x1b[0m | \x1b[32m0.500\x1b[0m
\x1b[31m0.500\x1b[0m | \x1b[31m0.600\x1b[0m
[1.0, 2.0] | [1.0, 2.0, 3.0]
[1, 2] | [1, 3]
[1, 2] | (1, 2)
1 2 | 12
1.0 2.0 | 1.02.0
1/2 | 1/3
2026-11-26 | 2026-11-27
12:30 | 12:31
holds | does not hold
50% | 51%
1,2,3 | 1,2,4
1e5 | 100001.5e1
99999999999999999999999 | 99999999999999999999998
1_000 | 1_001
a-1 | a-2
"""


def _pairs(table):
    rows = [line.replace("\\x1b", "\x1b").split(" | ") for line in table.strip().splitlines()]
    return [pytest.param(*row, id=ascii(f"{row[0]} {row[1]}")) for row in rows]


@pytest.mark.parametrize(("recorded", "got"), _pairs(EQUAL))
def test_equal_values_agree_however_they_are_written(recorded, got):
    assert differences(recorded, got, Tolerance(rtol=0.01, atol=1e-9)) == []
    assert differences(got, recorded, Tolerance(rtol=0.01, atol=1e-9)) == []


@pytest.mark.parametrize(("recorded", "got"), _pairs(DIFFERENT))
def test_no_two_different_values_agree(recorded, got):
    assert differences(recorded, got, Tolerance(rtol=0.01, atol=1e-9))
    assert differences(got, recorded, Tolerance(rtol=0.01, atol=1e-9))


def test_the_table_has_a_hundred_pairs():
    assert len(_pairs(EQUAL)) + len(_pairs(DIFFERENT)) >= 100
