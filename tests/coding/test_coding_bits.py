from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS

from labkit.coding.bits import (
    ByteReader,
    FormatError,
    count_symbols,
    index_dtype,
    pack,
    packed_size_bytes,
    read_used,
    varint,
    write_used,
)


def oracle(values: list[int], width_bits: int) -> bytes:
    """One big integer, the first value lowest."""
    total = sum(value << width_bits * place for place, value in enumerate(values))
    return total.to_bytes(packed_size_bytes(len(values), width_bits), "little")


def unpack(data: bytes, width_bits: int, count: int) -> np.ndarray:
    """All of ``data``, read as integers."""
    reader = ByteReader(data)
    values = reader.unpack(count, width_bits, "values")
    reader.finish("values")
    return values


@SETTINGS
@given(st.data(), st.integers(0, 32))
def test_pack_is_one_big_little_endian_integer_and_unpack_its_inverse(
    data: st.DataObject, width: int
) -> None:
    values = data.draw(st.lists(st.integers(0, 2**width - 1), max_size=50))
    packed = pack(values, width)
    assert packed == oracle(values, width)
    assert unpack(packed, width, len(values)).tolist() == values


@pytest.mark.parametrize("width", [1, 3, 8, 11, 16, 32])
def test_long_sequences_cross_block_borders(width: int) -> None:
    values = np.random.default_rng(width).integers(0, 2**width, 150_001)
    assert np.array_equal(unpack(pack(values, width), width, values.size), values)


def test_golden_bytes() -> None:
    assert pack([1, 2, 3, 4, 5, 6, 7], 3).hex() == "d1581f"
    assert pack([0xABC, 0x123], 12).hex() == "bc3a12"
    assert pack([1, 0, 0, 0, 0, 0, 0, 1, 1], 1).hex() == "8101"
    assert write_used(np.array([False, True, False])).hex() == "0202"
    assert varint(0).hex() == "00"
    assert varint(2**63 - 1).hex() == "ffffffffffffffff7f"


def test_empty_and_zero_width() -> None:
    assert pack([], 7) == b""
    assert unpack(b"", 7, 0).size == 0
    assert unpack(pack([0, 0, 0], 0), 0, 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("values", "width"), [([8], 3), ([-1], 3), ([1], 0), ([1], 33), ([1], -1)])
def test_values_that_do_not_fit_are_refused(values: list[int], width: int) -> None:
    with pytest.raises(ValueError, match="bits"):
        pack(values, width)


def test_floats_are_refused() -> None:
    with pytest.raises(TypeError, match="float64"):
        pack([1.0], 3)


@pytest.mark.parametrize("damaged", [b"\x41", b"\x41\x0c\x00", b"\x41\x8c", b""])
def test_damaged_integers_are_refused(damaged: bytes) -> None:
    with pytest.raises(FormatError):
        unpack(damaged, 5, 3)


def test_a_width_above_32_bits_is_refused() -> None:
    with pytest.raises(FormatError, match="33 bits"):
        unpack(bytes(33), 33, 8)


@SETTINGS
@given(st.lists(st.booleans(), max_size=70))
def test_bitmap_round_trip(mask: list[bool]) -> None:
    packed = pack(mask, 1)
    assert unpack(packed, 1, len(mask)).tolist() == mask
    with pytest.raises(FormatError):
        unpack(packed + b"\x00", 1, len(mask))
    if len(mask) % 8:
        with pytest.raises(FormatError, match="padding"):
            unpack(packed[:-1] + bytes([packed[-1] | 0x80]), 1, len(mask))


@SETTINGS
@given(st.lists(st.booleans(), max_size=70))
def test_used_symbols_round_trip_and_fit_the_alphabet(mask: list[bool]) -> None:
    content = write_used(np.array(mask, bool))
    reader = ByteReader(content)
    used = read_used(reader, len(mask))
    reader.finish("used symbols")
    assert used.tolist() == np.flatnonzero(mask).tolist()
    if any(mask):
        with pytest.raises(FormatError, match="alphabet"):
            read_used(ByteReader(content), int(used[-1]))
        with pytest.raises(FormatError, match="unused"):
            read_used(ByteReader(varint(int(used[-1]) + 2) + pack([*mask[: used[-1] + 1], False], 1)), 100)


def test_symbols_are_counted_and_those_outside_the_alphabet_refused() -> None:
    assert count_symbols(np.array([3, 1, 3], np.uint8), 5).tolist() == [0, 1, 0, 2, 0]
    with pytest.raises(ValueError, match="symbol 3 in an alphabet of 3"):
        count_symbols(np.array([3]), 3)


@SETTINGS
@given(st.integers(0, 2**63 - 1))
def test_varint_round_trip_and_every_cut_is_refused(value: int) -> None:
    content = varint(value)
    reader = ByteReader(content)
    assert reader.varint("value") == value
    reader.finish("value")
    for size in range(len(content)):
        with pytest.raises(FormatError):
            ByteReader(content[:size]).varint("value")


def test_varint_limits() -> None:
    with pytest.raises(ValueError, match="63"):
        varint(2**63)
    with pytest.raises(ValueError, match="-1"):
        varint(-1)
    with pytest.raises(FormatError, match="more than 9 bytes"):
        ByteReader(b"\xff" * 10).varint("value")


def test_reader_says_what_is_missing_and_what_is_left() -> None:
    reader = ByteReader(b"abc")
    with pytest.raises(FormatError, match="mask: 4 bytes expected, 3 are left"):
        reader.take(4, "mask")
    with pytest.raises(FormatError, match="file: 3 bytes more"):
        reader.finish("file")


def test_index_dtype_is_the_smallest_that_fits() -> None:
    assert [index_dtype(size) for size in (0, 256, 257, 65_536)] == [
        np.uint8,
        np.uint8,
        np.uint16,
        np.uint16,
    ]
    with pytest.raises(ValueError, match="65,536"):
        index_dtype(65_537)
