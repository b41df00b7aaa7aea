from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, counts, sequences

from labkit.coding import rans
from labkit.coding.bits import FormatError
from labkit.coding.huffman import entropy_bits
from labkit.coding.rans import quantize_frequencies


def big_integer_state(symbols: list[int], frequencies: list[int]) -> int:
    """rANS without renormalisation: one integer of any size that starts at 2**16."""
    starts = np.cumsum([0, *frequencies]).tolist()
    state = 1 << 16
    for symbol in reversed(symbols):
        quotient, rest = divmod(state, frequencies[symbol])
        state = (quotient << 14) + rest + starts[symbol]
    return state


def table_cost_bits(count: np.ndarray, frequencies: np.ndarray) -> float:
    used = count > 0
    return float(-(count[used] * np.log2(frequencies[used] / 4096)).sum())


@SETTINGS
@given(counts(max_symbols=8))
def test_frequencies_fill_the_slots_and_no_exchange_of_one_is_cheaper(count: list[int]) -> None:
    frequencies = quantize_frequencies(count, 12)
    array = np.array(count)
    assert ((frequencies > 0) == (array > 0)).all()
    assert frequencies.sum() == (4096 if array.any() else 0)
    cost = table_cost_bits(array, frequencies)
    for giver in np.flatnonzero(frequencies > 1):
        for taker in np.flatnonzero(frequencies):
            other = frequencies.copy()
            other[giver] -= 1
            other[taker] += 1
            assert cost <= table_cost_bits(array, other) * (1 + 1e-12)


def test_more_symbols_than_slots_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        quantize_frequencies([1] * 5000, 12)


@SETTINGS
@given(sequences(), st.sampled_from([None, 1, 2, 7, 4096]))
def test_streams_round_trip(sequence: tuple[np.ndarray, int], lanes: int | None) -> None:
    symbols, alphabet_size = sequence
    data = rans.encode(symbols, alphabet_size, lanes=lanes)
    decoded = rans.decode(data, symbols.size, alphabet_size)
    assert np.array_equal(decoded, symbols)
    assert decoded.dtype == (np.uint8 if alphabet_size <= 256 else np.uint16)


@SETTINGS
@given(st.lists(st.integers(0, 1), min_size=2, max_size=200))
def test_one_lane_holds_the_state_of_plain_rans(symbols: list[int]) -> None:
    if len(set(symbols)) < 2:
        symbols = [*symbols, 0, 1]
    data = rans.encode(symbols, 2, lanes=1)
    frequencies = quantize_frequencies(np.bincount(symbols), 14).tolist()
    table = 1 + 1 + (1 if frequencies[0] < 128 else 2)
    state = int.from_bytes(data[table + 1 : table + 5], "little")
    if len(data) == table + 5:  # nothing has been moved out
        assert state == big_integer_state(symbols, frequencies)


@pytest.mark.parametrize(("zeros", "lanes"), [(0.0, None), (0.5, None), (0.9, 100), (0.99, 20)])
def test_size_is_within_half_a_percent_of_the_entropy(zeros: float, lanes: int | None) -> None:
    rng = np.random.default_rng(0)
    symbols = np.where(rng.random(1_000_000) < zeros, 0, rng.binomial(31, 0.5, 1_000_000))
    data = rans.encode(symbols, 32, lanes=lanes)
    entropy_bytes = entropy_bits(np.bincount(symbols)) * symbols.size / 8
    table_bytes = 80
    assert entropy_bytes < len(data) < 1.005 * entropy_bytes + table_bytes
    assert np.array_equal(rans.decode(data, symbols.size, 32), symbols)


@pytest.mark.parametrize("size", [0, 1, 100_000])
def test_a_constant_sequence_takes_only_its_table(size: int) -> None:
    data = rans.encode(np.full(size, 3), 8)
    assert len(data) <= 2
    assert rans.decode(data, size, 8).tolist() == [3] * size


def test_the_widest_alphabet() -> None:
    symbols = np.random.default_rng(0).permutation(65_536)
    data = rans.encode(symbols, 65_536)
    assert np.array_equal(rans.decode(data, symbols.size, 65_536), symbols)


def test_golden_bytes() -> None:
    data = rans.encode([0, 1, 0, 0], 2, lanes=1)
    # span 2, both used, frequency 12288 of 16384; one lane; its state from 65536
    assert data[:5] == bytes.fromhex("02 03 8060 01")
    assert data[5:] == big_integer_state([0, 1, 0, 0], [12288, 4096]).to_bytes(4, "little")
    assert data.hex() == "020380600100900900"
    assert rans.decode(data, 4, 2).tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("by_density", [False, True])
def test_symbols_outside_the_alphabet_are_refused(by_density: bool) -> None:
    with pytest.raises(ValueError, match="alphabet of 4"):
        rans.encode([0, 4], 4, by_density=by_density)


def test_cut_lengthened_and_flipped_streams_are_refused() -> None:
    symbols = np.random.default_rng(2).binomial(8, 0.3, 400)
    data = rans.encode(symbols, 9, lanes=3)
    states = 3 + 6 * 2 + 1  # the table: span and bitmap, seven frequencies, one of them below 128
    assert data[states] == 3  # lanes
    for size in range(len(data)):
        with pytest.raises(FormatError):
            rans.decode(data[:size], 400, 9)
    for wrong, count in ((data + b"\x00\x00", 400), (data, 0), (data, 399), (data, 10**9)):
        with pytest.raises(FormatError):
            rans.decode(wrong, count, 9)
    accepted = 0
    for bit in range(8 * states, 8 * len(data)):
        damaged = bytearray(data)
        damaged[bit // 8] ^= 1 << bit % 8
        try:
            decoded = rans.decode(bytes(damaged), 400, 9)
        except FormatError:
            continue
        accepted += 1
        assert decoded.size == 400
    assert accepted <= 5  # the states must end where they began


def plain_density_contexts(symbols: list[int], lanes: int) -> list[list[int]]:
    """The context of each symbol of each lane's run, one symbol at a time."""
    steps = len(symbols) // lanes
    contexts = []
    for lane in range(lanes):
        share, seen = 8191, []
        for symbol in symbols[lane * steps : (lane + 1) * steps]:
            seen.append(math.isqrt(share // 256))
            share += ((65535 if symbol else 0) - share) >> 4
        contexts.append(seen)
    return contexts


@SETTINGS
@given(st.integers(1, 40), st.integers(1, 12))
def test_density_contexts_are_those_of_each_lanes_run(steps: int, lanes: int) -> None:
    rng = np.random.default_rng(steps)
    symbols = rng.integers(0, 2, steps * lanes)
    contexts = rans.density_contexts(symbols.reshape(lanes, steps).T)
    assert contexts.T.tolist() == plain_density_contexts(symbols.tolist(), lanes)


@SETTINGS
@given(sequences(), st.sampled_from([None, 1, 2, 7, 50, 4096]))
def test_streams_by_density_round_trip(sequence: tuple[np.ndarray, int], lanes: int | None) -> None:
    symbols, alphabet_size = sequence
    data = rans.encode(symbols, alphabet_size, by_density=True, lanes=lanes)
    decoded = rans.decode(data, symbols.size, alphabet_size, by_density=True)
    assert np.array_equal(decoded, symbols)


@SETTINGS
@given(st.integers(1, 2000), st.integers(1, 50))
def test_varying_density_round_trips(count: int, lanes: int) -> None:
    rng = np.random.default_rng(count)
    symbols = (rng.random(count) < np.linspace(0, 0.6, count)) * rng.integers(1, 5, count)
    data = rans.encode(symbols, 5, by_density=True, lanes=lanes)
    assert np.array_equal(rans.decode(data, count, 5, by_density=True), symbols)


def test_density_contexts_pay_where_density_varies() -> None:
    rng = np.random.default_rng(0)
    mask = rng.random(100_000) < np.repeat(rng.choice([0.02, 0.5], 100), 1000)
    by_density = rans.encode(mask, 2, by_density=True, lanes=20)
    assert len(by_density) < 0.75 * len(rans.encode(mask, 2, lanes=20))
