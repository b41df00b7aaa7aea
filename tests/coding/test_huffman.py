from __future__ import annotations

import heapq

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, counts, sequences

from labkit.coding import huffman_stream
from labkit.coding.bits import FormatError
from labkit.coding.huffman import (
    average_length_bits,
    canonical_codes,
    code_lengths,
    code_strings,
    entropy_bits,
    reversed_codes,
)

FIBONACCI = [1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144, 233, 377, 610, 987, 1597, 2584, 4181, 6765]


def least_total_bits(count: list[int]) -> tuple[int, int]:
    """Huffman's own construction: the sum of all merged weights, and the depth of the tree."""
    heap = [(c, 0) for c in count if c]
    heapq.heapify(heap)
    total = depth = 0
    while len(heap) > 1:
        (a, depth_a), (b, depth_b) = heapq.heappop(heap), heapq.heappop(heap)
        total += a + b
        depth = max(depth_a, depth_b) + 1
        heapq.heappush(heap, (a + b, depth))
    return total, depth


def least_limited_total_bits(count: list[int], limit_bits: int) -> int:
    """By trying every vector of ascending lengths for the descending counts."""
    ranked = sorted((c for c in count if c), reverse=True)

    def search(place: int, shortest: int, left: int) -> float:
        if place == len(ranked):
            return 0 if left >= 0 else np.inf
        return min(
            (
                ranked[place] * length + search(place + 1, length, left - (1 << limit_bits - length))
                for length in range(shortest, limit_bits + 1)
                if left >= (1 << limit_bits - length)
            ),
            default=np.inf,
        )

    return int(search(0, 1, 1 << limit_bits))


@SETTINGS
@given(counts())
def test_without_a_binding_limit_the_total_is_huffmans(count: list[int]) -> None:
    lengths = code_lengths(count)
    best, depth = least_total_bits(count)
    total = int(np.array(count) @ lengths.astype(np.int64))
    assert total == best if depth <= 16 else total > best


@SETTINGS
@given(st.lists(st.integers(0, 1000), min_size=2, max_size=6), st.integers(3, 4))
def test_with_a_limit_no_other_lengths_are_better(count: list[int], limit_bits: int) -> None:
    lengths = code_lengths(count, limit_bits=limit_bits)
    if sum(c > 0 for c in count) > 1:
        assert lengths.max() <= limit_bits
        assert np.array(count) @ lengths.astype(np.int64) == least_limited_total_bits(count, limit_bits)


@SETTINGS
@given(counts(), st.integers(6, 16))
def test_lengths_are_those_of_a_complete_code_within_a_bit_of_entropy(count: list[int], limit: int) -> None:
    lengths = code_lengths(count, limit_bits=limit)
    used = np.array(count) > 0
    assert ((lengths > 0) == used).all() or used.sum() < 2
    if used.sum() > 1:
        assert (2.0 ** -lengths[used].astype(float)).sum() == 1.0
        entropy, average = entropy_bits(count), average_length_bits(count, code_lengths(count))
        assert entropy - 1e-9 <= average
        if code_lengths(count).max() < 16:
            assert average < entropy + 1


@SETTINGS
@given(counts())
def test_canonical_words_are_a_prefix_code_in_order(count: list[int]) -> None:
    lengths = code_lengths(count)
    words = [word for word in code_strings(lengths) if word]
    assert not any(a != b and b.startswith(a) for a in words for b in words)
    assert len(set(words)) == len(words)
    by_length = sorted(words, key=len)
    assert [w.ljust(16, "0") for w in by_length] == sorted(w.ljust(16, "0") for w in by_length)
    mirrored = [int(word[::-1] or "0", 2) for word in code_strings(lengths)]
    assert reversed_codes(lengths).tolist() == mirrored


def test_fibonacci_counts_respect_the_limit() -> None:
    assert code_lengths(FIBONACCI[:15]).max() == 14
    for limit_bits in (5, 8, 12, 16):
        assert code_lengths(FIBONACCI, limit_bits=limit_bits).max() <= limit_bits
    symbols = np.repeat(np.arange(20), FIBONACCI)
    assert np.array_equal(
        huffman_stream.decode(huffman_stream.encode(symbols, 20), symbols.size, 20), symbols
    )


def test_constant_and_empty_counts_need_no_bits() -> None:
    assert code_lengths([0, 7, 0]).tolist() == [0, 0, 0]
    assert code_lengths([0, 0]).tolist() == [0, 0]
    assert entropy_bits([0, 0]) == entropy_bits([9]) == average_length_bits([0, 7], [0, 0]) == 0.0
    assert canonical_codes([0, 0]).tolist() == [0, 0]


@pytest.mark.parametrize(
    ("count", "limit"), [([1] * 5, 2), ([1, 1], 0), ([1, 1], 17), ([-1, 2], 8), ([0.5], 8)]
)
def test_impossible_requests_are_refused(count: list[int], limit: int) -> None:
    with pytest.raises(ValueError, match=r"bits|limit|integers"):
        code_lengths(count, limit_bits=limit)


def test_counts_and_lengths_must_match() -> None:
    with pytest.raises(ValueError, match="2 counts, but 3 lengths"):
        average_length_bits([1, 2], [1, 2, 2])


@SETTINGS
@given(sequences(), st.sampled_from([None, 1, 2, 7, 4096]))
def test_streams_round_trip(sequence: tuple[np.ndarray, int], lanes: int | None) -> None:
    symbols, alphabet_size = sequence
    data = huffman_stream.encode(symbols, alphabet_size, lanes=lanes)
    decoded = huffman_stream.decode(data, symbols.size, alphabet_size)
    assert np.array_equal(decoded, symbols)
    assert decoded.dtype == (np.uint8 if alphabet_size <= 256 else np.uint16)


@SETTINGS
@given(sequences(max_size=400))
def test_one_lane_is_the_plain_bit_string(sequence: tuple[np.ndarray, int]) -> None:
    symbols, alphabet_size = sequence
    counts = np.bincount(symbols, minlength=alphabet_size)
    words = code_strings(code_lengths(counts, limit_bits=max(12, int(len(counts) - 1).bit_length())))
    bits = "".join(words[symbol] for symbol in symbols)
    expected = int(bits[::-1] or "0", 2).to_bytes(-(-len(bits) // 8), "little")
    assert huffman_stream.encode(symbols, alphabet_size, lanes=1).endswith(expected)


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_a_constant_sequence_takes_only_its_table(size: int) -> None:
    data = huffman_stream.encode(np.full(size, 3), 8)
    assert len(data) <= 2
    assert huffman_stream.decode(data, size, 8).tolist() == [3] * size


def test_the_widest_alphabet() -> None:
    symbols = np.random.default_rng(0).permutation(65_536)
    data = huffman_stream.encode(symbols, 65_536)
    assert np.array_equal(huffman_stream.decode(data, symbols.size, 65_536), symbols)


def test_many_blocks_and_lanes() -> None:
    rng = np.random.default_rng(1)
    symbols = np.where(rng.random(600_003) < 0.9, 0, rng.integers(0, 32, 600_003))
    data = huffman_stream.encode(symbols, 32)
    assert np.array_equal(huffman_stream.decode(data, symbols.size, 32), symbols)
    bits = len(huffman_stream.encode(symbols, 32, lanes=1))
    assert len(data) < 1.01 * bits


def test_golden_bytes() -> None:
    data = huffman_stream.encode([0, 1, 0, 2, 0, 3, 0, 0], 4)
    # span 4, all used, lengths 1 3 3 2 less one; lanes of 2·4, 13 bits and no excess; 0 110 0 111 0 10 0 0
    assert data == bytes.fromhex("04 0f 2012 02 0d 00 e602")
    assert huffman_stream.decode(data, 8, 4).tolist() == [0, 1, 0, 2, 0, 3, 0, 0]


def test_cut_and_lengthened_streams_are_refused() -> None:
    symbols = np.random.default_rng(2).integers(0, 9, 500)
    data = huffman_stream.encode(symbols, 9, lanes=3)
    for size in range(len(data)):
        with pytest.raises(FormatError):
            huffman_stream.decode(data[:size], 500, 9)
    for wrong, count in ((data + b"\x00", 500), (data, 0), (data, 5000)):
        with pytest.raises(FormatError):
            huffman_stream.decode(wrong, count, 9)


def test_flipped_bits_raise_or_give_as_many_symbols_of_the_alphabet() -> None:
    symbols = np.random.default_rng(3).integers(0, 9, 300)
    data = huffman_stream.encode(symbols, 9, lanes=3)
    refused = 0
    for bit in range(8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            decoded = huffman_stream.decode(bytes(damaged), 300, 9)
        except FormatError:
            refused += 1
        else:
            assert decoded.size == 300
            assert decoded.max() < 9
    assert refused > 30


def test_symbols_outside_the_alphabet_are_refused() -> None:
    with pytest.raises(ValueError, match="alphabet of 4"):
        huffman_stream.encode([0, 4], 4)
