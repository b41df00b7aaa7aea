"""Crafted files: what a reader does is bounded by the file's size or by a limit that the error names."""

import json
import math
from types import SimpleNamespace

import numpy as np
import pytest
from crafted_containers import crafted, stream

from labkit.cli.inspect import describe
from labkit.coding import FormatError, decode, encode, header, huffman_stream, rans
from labkit.coding.bits import pack, varint
from labkit.coding.header import DTYPES, MAX_HEADER_BYTES
from labkit.coding.rans import FREE_STEPS, MAX_STEPS
from labkit.coding.symbol_stream import FREE_SYMBOLS, MAX_SYMBOLS_PER_BYTE
from labkit.storage.state_dict import unpack_state

pytestmark = pytest.mark.heavy

EMPTY = stream(0, b"")  # a mask or values of nothing
PLANES = sum(int(dtype[2]) for dtype in DTYPES)


@pytest.fixture
def steps(monkeypatch):
    """The steps of NumPy calls that each sequence takes, by coder."""
    taken = SimpleNamespace(rans=[], huffman=[])
    release, walk = rans._release, huffman_stream._walk_lanes

    def counted_release(state, words, slots, rows, *rest):
        taken.rans.append(len(rows))
        release(state, words, slots, rows, *rest)

    def counted_walk(*arguments):
        seen = walk(*arguments)
        taken.huffman.append(len(seen))
        return seen

    monkeypatch.setattr(rans, "_release", counted_release)
    monkeypatch.setattr(huffman_stream, "_walk_lanes", counted_walk)
    return taken


@pytest.fixture
def few_steps(monkeypatch):
    """A limit of 4,096 steps, eight sequences of 512, because 65,536 take half a second."""
    assert FREE_STEPS == 8 * MAX_STEPS
    monkeypatch.setattr(rans, "FREE_STEPS", 4096)
    return 4096


def nearly_constant(count, dtype=np.uint8):
    """One entry that is not 0."""
    array = np.zeros(count, dtype)
    array[count // 2] = -1 if np.issubdtype(dtype, np.signedinteger) else 1
    return array


@pytest.mark.parametrize("by_density", [False, True])
def test_the_rans_steps_of_a_file_have_a_limit(by_density, steps, few_steps):
    """A sequence of 20 bytes asks for 65,536 steps, and a file of 1 kB holds 45 of them."""
    count = few_steps // 8
    payload = rans.encode(nearly_constant(count), 256, by_density=by_density, lanes=1)
    body = EMPTY * 2 + stream(3 if by_density else 2, payload) * PLANES
    data = crafted([[dtype, dtype, [count], None] for dtype in DTYPES], body)
    with pytest.raises(FormatError, match=f"at most {few_steps}"):
        decode(data)
    assert few_steps - count < sum(steps.rans) <= few_steps + len(data)


def test_a_sequence_of_more_steps_than_any_may_have_is_refused(steps):
    payload = rans.encode(nearly_constant(MAX_STEPS // 64), 256, lanes=1)
    data = crafted([["a", "|u1", [MAX_STEPS + 1], None]], EMPTY * 2 + stream(2, payload))
    with pytest.raises(FormatError, match=f"1 lanes for {MAX_STEPS + 1} symbols"):
        decode(data)
    assert not steps.rans


def test_eight_nearly_constant_planes_stay_within_the_limit(steps, few_steps):
    data = encode({"a": nearly_constant(few_steps // 8, np.int64)})
    assert len(data) < 500
    assert decode(data)["a"].sum() == -1
    assert sum(steps.rans) == few_steps


def test_what_would_take_more_steps_is_written_so_that_a_reader_accepts_it(steps, few_steps):
    count = few_steps // 8
    tensors = {f"{i}": nearly_constant(count, np.int64) for i in range(3)}
    tensors["float"] = np.where(np.arange(count) == 7, 1 / 3, 0)
    tensors["unsigned"] = np.where(np.arange(count) == 9, 2**64 - 1, 0).astype(np.uint64)
    data = encode(tensors)
    read = decode(data)
    assert all(np.array_equal(read[name], tensors[name]) for name in tensors)
    assert few_steps / 2 < sum(steps.rans) <= few_steps + len(data)


def test_a_larger_file_may_take_as_many_steps_more_as_it_has_bytes():
    budget = rans.StepBudget()
    budget.earn(1000)
    budget.spend(FREE_STEPS + 1000)
    with pytest.raises(FormatError, match="1 steps where 0 are left"):
        budget.spend(1)


def test_the_huffman_steps_of_a_file_are_at_most_its_bits(steps):
    """One lane with code words of 1 to 16 bits, always the shortest: a symbol for each bit."""
    count = 20_000
    lengths = np.array([*range(1, 17), 16])
    table = varint(17) + pack(np.ones(17, int), 1) + pack(lengths - 1, 4)
    payload = table + varint(count // 4) + varint(count) + bytes([0]) + bytes(count // 8)
    data = crafted([["a", "|u1", [count], None]], EMPTY * 2 + stream(1, payload))
    assert not decode(data)["a"].any()
    assert sum(steps.huffman) <= 8 * len(data)


def test_a_huffman_stream_of_many_lanes_and_long_words_is_refused_before_it_is_decoded(steps):
    lanes = FREE_SYMBOLS // 4
    table = varint(2) + pack([1, 1], 1) + pack([0, 0], 4)
    payload = table + varint(1) + varint(4) + bytes([0])
    data = crafted([["a", "|u1", [4 * lanes], None]], EMPTY * 2 + stream(1, payload))
    with pytest.raises(FormatError, match=f"Huffman bits: {lanes // 2} bytes expected"):
        decode(data)
    assert not steps.huffman


def test_a_run_of_one_symbol_has_a_limit():
    constant = stream(1, bytes([1, 1]))
    most = FREE_SYMBOLS + 2 * MAX_SYMBOLS_PER_BYTE
    assert decode(crafted([["a", "|u1", [most], None]], EMPTY * 2 + constant))["a"].size == most
    for body in (EMPTY * 2 + constant, constant * 20):
        for size in (most + 1, 1 << 30, 1 << 40):
            codebook = None if body.startswith(EMPTY) else 1
            with pytest.raises(FormatError, match=f"{size} symbols in a stream of 2 bytes"):
                decode(crafted([["a", "<f4" if codebook else "|u1", [size], codebook]], body))


@pytest.mark.parametrize(
    "shape", [[9999] * 150_000, [10**4000] * 32, [10**4000], [1] * 33, [1 << 21] * 2, [0, 1 << 41]], ids=len
)
def test_the_shape_of_a_tensor_has_limits(shape, monkeypatch):
    """The product of 150,000 sizes takes seconds; a message that quotes them has a megabyte."""

    def product(sizes):
        sizes = list(sizes)
        assert len(sizes) <= 32
        assert max(sizes) <= 1 << 41
        return math.prod(sizes)

    monkeypatch.setattr(header, "math", SimpleNamespace(prod=product))
    with pytest.raises(FormatError, match=r"at most 32 dimensions and 2\*\*40 entries") as caught:
        decode(crafted([["a", "<f4", shape, None]]))
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    "entry",
    [
        ["a" * 1_000_000, "<x4", [2], None],
        ["a", "<x4" * 300_000, [2], None],
        [["a"] * 100_000, "<f4", [2], None],
        ["a", "<f4", ["x" * 1_000_000], None],
        ["a", "<f4", [-1] * 100_000, None],
        ["a", "<f4", [2], 10**4000],
    ],
    ids=["name", "type", "name of lists", "size", "sizes", "codebook"],
)
def test_an_error_quotes_little_of_a_long_header(entry):
    with pytest.raises(FormatError) as caught:
        decode(crafted([entry]))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("version", [1, 3])
def test_a_header_that_inflates_has_a_limit(version):
    """A header of 17 kB that inflates to 16 MiB, of blanks or of metadata."""
    long = b" " * (1 << 24)
    content = long if version == 1 else b'{"metadata":{"a":"' + long + b'"},"tensors":[]}'
    data = crafted(content, EMPTY * 2, version=version)
    with pytest.raises(FormatError, match=f"at most {MAX_HEADER_BYTES} bytes"):
        decode(data)


def test_many_tensors_are_described_in_a_length_bounded_by_the_header():
    """A long name pads each of thousands of rows: 1.5 GB of text from 11 kB."""
    names = ["a" * 500_000, "\x1b[31mred\nrow", *(f"{i}" for i in range(3_000))]
    data = crafted([[name, "<f4", [0], None] for name in names], EMPTY * 2)
    text = describe(data)
    assert len(text) < 300 * len(names)
    assert "(500000 letters)" in text
    assert "\x1b" not in text
    assert list(unpack_state(data)) == names


def test_long_metadata_is_described_in_little():
    text = describe(encode({}, {"note\x1b": "x" * 500_000}))
    assert len(text) < 2_000
    assert "\x1b" not in text


@pytest.mark.parametrize(
    "content",
    [
        [],
        {"tensors": []},
        {"tensors": [], "metadata": None, "more": 1},
        {"tensors": [], "metadata": []},
        {"tensors": [], "metadata": {"a": 1}},
        {"tensors": {"a": 1}, "metadata": None},
        {"tensors": [["a", "complex64", [2], 1]], "metadata": None},
        "tensors",
        7,
    ],
    ids=json.dumps,
)
def test_headers_of_version_3_of_anything_else_are_refused(content):
    with pytest.raises(FormatError, match="header"):
        decode(crafted(content, EMPTY * 2, version=3))
