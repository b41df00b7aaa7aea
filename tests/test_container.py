from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.coding import Clustered, FormatError, Record, decode, encode, ledger
from labkit.coding.bits import Reader, varint
from labkit.coding.header import TensorSpec, read_header, write_header
from labkit.coding.huffman import entropy_bits
from labkit.coding.streams import read_stream, write_stream
from tests.strategies import SETTINGS, records, sequences

MEMORY_LIMIT_BYTES = 64 << 20
GOLDEN = (
    "894c4b4301"  # magic, version
    "0f 00 0f 02 00 01 77 11 02 02 0202 00 01 62 00 01 02"  # header: w of 2 halves, (2, 2); b of float32, (2,)
    "00 00 01 06"  # apart; the mask, raw
    "00 01 02"  # the values, one bit each
    "00 02 0000 00 02 bc3c"  # the codebook's low bytes, then the high ones
    "00 02 0000 00 02 0000 00 02 8000 00 02 3f40"  # b's four planes
    "5ae4a996"  # checksum
)


def is_same(given_records: Mapping[str, Record], read: Mapping[str, Record]) -> bool:
    """Names, order, types, shapes and bits."""

    def bits(array: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
        return array.dtype.str, array.shape, array.tobytes()

    if list(given_records) != list(read):
        return False
    for name, record in given_records.items():
        other = read[name]
        if isinstance(record, Clustered) != isinstance(other, Clustered):
            return False
        if isinstance(record, Clustered):
            same = record.indices.shape == other.indices.shape and (record.indices == other.indices).all()
            if not same or bits(record.codebook) != bits(other.codebook):
                return False
        elif bits(record) != bits(other):
            return False
    return True


def network(seed: int, *, shapes: Mapping[str, tuple[int, ...]], zeros: float = 0.87) -> dict[str, Record]:
    """Tensors as a compressed network has them: 3-bit clustered weights, fp16 vectors."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, Record] = {}
    for name, shape in shapes.items():
        if len(shape) == 1:
            tensors[name] = rng.normal(1, 0.3, shape).astype(np.float16)
            continue
        levels = 1 + rng.binomial(6, 0.5, shape)
        indices = np.where(rng.random(shape) < zeros, 0, levels).astype(np.uint8)
        tensors[name] = Clustered(indices, np.sort(rng.normal(size=7)).astype(np.float16))
    return tensors


SMALL = network(0, shapes={"conv1.weight": (8, 3, 3, 3), "conv1.scale": (8,), "linear.weight": (10, 8)})


def seal(content: bytes) -> bytes:
    return content + zlib.crc32(content).to_bytes(4, "little")


def hostile(specs: list[TensorSpec], body: bytes = b"") -> bytes:
    """A file with a right checksum, this header and this body."""
    header = write_header(specs)
    return seal(b"\x89LKC\x01" + varint(len(header)) + b"\x00" + varint(len(header)) + header + body)


@SETTINGS
@given(
    records(), st.sampled_from([None, "apart", "joint"]), st.sampled_from([None, "raw", "huffman", "rans"])
)
def test_what_is_put_in_comes_out_and_the_ledger_sums_to_the_file(
    tensors: dict[str, Record], layout: str | None, coder: str | None
) -> None:
    data = encode(tensors, layout=layout, coder=coder)
    assert is_same(tensors, decode(data))
    assert sum(row.size_bytes for row in ledger(data)) == len(data)
    assert encode(tensors, layout=layout, coder=coder) == data
    if layout is coder is None:
        assert len(data) <= min(len(encode(tensors, layout=choice)) for choice in ("apart", "joint"))


@SETTINGS
@given(sequences(max_size=500), st.booleans(), st.sampled_from([None, "raw", "huffman", "rans"]))
def test_streams_round_trip(sequence: tuple[np.ndarray, int], in_groups: bool, coder: str | None) -> None:
    symbols, alphabet_size = sequence
    groups = [symbols.size // 3, symbols.size - symbols.size // 3] if in_groups else None
    data = write_stream(symbols, alphabet_size, groups=groups, follow_density=in_groups, coder=coder)
    reader = Reader(data)
    read, _ = read_stream(reader, symbols.size, alphabet_size, groups=groups)
    reader.finish("stream")
    assert np.array_equal(read, symbols)


def test_an_empty_file_and_one_of_empty_tensors() -> None:
    for tensors in (
        {},
        {"a": np.zeros((0, 3), np.float32), "b": Clustered(np.zeros(0, np.uint8), np.zeros(0, np.float16))},
        {"scalar": np.array(7)},
        {"pruned": Clustered(np.zeros((64, 64), np.uint8), np.zeros(0, np.float32))},
        {"one": Clustered(np.ones((64, 64), np.uint8), np.array([0.5], np.float32))},
    ):
        data = encode(tensors)
        assert is_same(tensors, decode(data))
        assert sum(row.size_bytes for row in ledger(data)) == len(data)


def test_other_byte_orders_and_strides_are_stored_by_value() -> None:
    array = np.arange(12.0).reshape(3, 4)
    read = decode(encode({"big": array.astype(">f4"), "t": array.T}))
    assert read["big"].dtype == "<f4"
    assert np.array_equal(read["big"], array)
    assert np.array_equal(read["t"], array.T)


def test_more_than_256_centroids() -> None:
    rng = np.random.default_rng(0)
    tensors = {
        "wide": Clustered(rng.integers(0, 1001, (50, 50)), rng.normal(size=1000).astype(np.float32)),
        "narrow": Clustered(rng.integers(0, 3, (50, 50)), np.array([-1, 1], np.float16)),
    }
    read = decode(encode(tensors))
    assert is_same(tensors, read)
    assert (read["wide"].indices.dtype, read["narrow"].indices.dtype) == (np.uint16, np.uint8)


def test_dense_restores_zeros_and_centroids() -> None:
    tensor = Clustered(np.array([[0, 2], [1, 0]]), np.array([-0.5, 0.25], np.float16))
    assert tensor.dense().tolist() == [[0.0, 0.25], [-0.5, 0.0]]
    assert tensor.dense().dtype == np.float16


def test_a_resnet20_comes_within_a_few_percent_of_the_bound() -> None:
    from labkit.models.resnet import ResNet20

    shapes = {
        name: tuple(value.shape)
        for name, value in ResNet20().state_dict().items()
        if value.ndim and not name.endswith(("running_mean", "running_var"))
    }
    tensors = network(1, shapes=shapes)
    data = encode(tensors)
    assert is_same(tensors, decode(data))
    sizes = {row.part: row.size_bytes for row in ledger(data)}
    counts = sum(
        np.bincount(t.indices.ravel(), minlength=8) for t in tensors.values() if isinstance(t, Clustered)
    )
    bound_bytes = entropy_bits(counts) * counts.sum() / 8
    coded = sizes.get("mask and values", 0) + sizes.get("mask", 0) + sizes.get("values", 0)
    assert bound_bytes < coded < 1.01 * bound_bytes
    dense_bytes = sum(t.nbytes for t in tensors.values() if not isinstance(t, Clustered))
    assert sizes["dense tensors"] < 0.8 * dense_bytes
    assert sizes["header"] < 6 * len(tensors)
    assert len(data) < 1_084_392 / 30


def test_golden_bytes() -> None:
    tensors = {
        "w": Clustered(np.array([[0, 1], [2, 0]]), np.array([-1, 1], np.float16)),
        "b": np.array([1.0, 2.0], np.float32),
    }
    assert encode(tensors, layout="apart", coder="raw") == bytes.fromhex(GOLDEN)
    assert is_same(tensors, decode(bytes.fromhex(GOLDEN)))


@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        ({"a": np.zeros(2, np.complex64)}, TypeError, "'a' is complex64"),
        ({"a": np.array(["x"])}, TypeError, "'a'"),
        ({"": np.zeros(2)}, ValueError, "name"),
        ({"x" * 1025: np.zeros(2)}, ValueError, "name"),
        ({f"{i:01000}": np.zeros(0) for i in range(1100)}, ValueError, "names of 1100000 bytes"),
        ({"a": np.zeros((0, 1 << 41), np.float16)}, ValueError, "at most 32 dimensions and 2"),
        ({"a": Clustered(np.array([3]), np.zeros(2, np.float32))}, ValueError, "0 to 2, got 3 to 3"),
        ({"a": Clustered(np.array([-1]), np.zeros(2, np.float32))}, ValueError, "got -1"),
        ({"a": Clustered(np.array([0.0]), np.zeros(2, np.float32))}, TypeError, "integers"),
        ({"a": Clustered(np.array([0]), np.zeros(2))}, ValueError, "float32 or float16"),
        ({"a": Clustered(np.array([0]), np.zeros((2, 1), np.float32))}, ValueError, "codebook"),
    ],
)
def test_what_cannot_be_stored_is_refused(tensors: dict[str, Record], error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        encode(tensors)


@pytest.mark.parametrize("choice", [{"layout": "best"}, {"coder": "zip"}])
def test_unknown_choices_are_refused(choice: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="unknown"):
        encode(SMALL, **choice)


def test_foreign_files_and_other_versions_are_refused() -> None:
    for foreign in (b"", b"\x89", b"PK\x03\x04", b"\x80\x04pickle", bytes(1000), b"{}" * 100):
        with pytest.raises(FormatError, match="not a labkit container"):
            decode(foreign)
    data = encode(SMALL)
    with pytest.raises(FormatError, match="version 02"):
        decode(data[:4] + b"\x02" + data[5:])


def test_every_cut_is_refused() -> None:
    data = encode(SMALL)
    for size in range(len(data)):
        with pytest.raises(FormatError):
            decode(data[:size])


def damage(data: bytes, rng: np.random.Generator) -> bytes:
    """Flip bits, overwrite, cut, drop, double or append bytes."""
    content = bytearray(data)
    place, size = int(rng.integers(len(content))), int(rng.integers(1, 20))
    kind = rng.integers(6)
    if kind == 0:
        for bit in rng.integers(8 * len(content), size=rng.integers(1, 4)):
            content[bit // 8] ^= 1 << bit % 8
    elif kind == 1:
        content[place : place + size] = rng.bytes(len(content[place : place + size]))
    elif kind == 2:
        del content[place:]
    elif kind == 3:
        del content[place : place + size]
    elif kind == 4:
        content[place:place] = content[place : place + size]
    else:
        content += rng.bytes(size)
    return bytes(content)


def test_ten_thousand_damaged_files_are_refused_or_unharmed() -> None:
    rng = np.random.default_rng(0)
    originals = [(SMALL, encode(SMALL, layout=layout)) for layout in ("apart", "joint")]
    refused = 0
    tracemalloc.start()
    for number in range(10_000):
        tensors, data = originals[number % 2]
        try:
            read = decode(damage(data, rng))
        except FormatError:
            refused += 1
        else:
            assert is_same(tensors, read)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > 9_000
    assert peak < MEMORY_LIMIT_BYTES


@pytest.mark.parametrize("coder", ["raw", "huffman", "rans"])
def test_damage_under_a_right_checksum_never_crashes_nor_runs_out_of_memory(coder: str) -> None:
    rng = np.random.default_rng(1)
    originals = [encode(SMALL, layout=layout, coder=coder)[:-4] for layout in ("apart", "joint")]
    refused = 0
    tracemalloc.start()
    for number in range(700):
        try:
            decode(seal(damage(originals[number % 2], rng)))
        except FormatError:
            refused += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > 100
    assert peak < MEMORY_LIMIT_BYTES


@pytest.mark.parametrize(
    "specs",
    [
        [TensorSpec("a", "<f4", (1 << 39, 1 << 39))],
        [TensorSpec("a", "<f4", (0, 1 << 40, 1 << 40))],
        [TensorSpec("a", "<f2", (1 << 40, 1 << 40, 0), 1)],
        [TensorSpec("a", "<f4", (1 << 20,))],
        [TensorSpec("a", "|u1", (1 << 19,))] * 4,
        [TensorSpec("a", "<f2", (1 << 21,), 3)],
        [TensorSpec("a", "<f2", (0, 1 << 40), 65_535)] * 300,
    ],
)
def test_headers_that_promise_too_much_are_refused_before_memory_is_used(specs: list[TensorSpec]) -> None:
    tracemalloc.start()
    with pytest.raises(FormatError):
        decode(
            hostile([TensorSpec(f"{i}", s.dtype, s.shape, s.codebook_size) for i, s in enumerate(specs)])
        )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


def test_the_largest_content_of_a_small_file_stays_within_memory() -> None:
    size = 1 << 20
    constant = b"\x02" + varint(3) + bytes.fromhex("0c0101")  # rANS, only symbol 0
    bomb = hostile([TensorSpec("a", "<f2", (size,), 0)], b"\x01" + constant)
    tracemalloc.start()
    read = decode(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read["a"].indices.size == size
    assert peak < MEMORY_LIMIT_BYTES


def test_very_compressible_tensors_are_stored_so_that_a_reader_accepts_them() -> None:
    tensors = {
        "w": Clustered(np.zeros(3_000_000, np.uint8), np.zeros(0, np.float16)),
        "b": np.zeros(1_000_000, np.float32),
    }
    assert is_same(tensors, decode(encode(tensors)))


def test_duplicate_names_and_bad_references_are_refused() -> None:
    with pytest.raises(FormatError, match="duplicate"):
        decode(hostile([TensorSpec("a", "<f4", ()), TensorSpec("a", "<f4", ())]))
    for header in (
        "01 01",
        "01 00 01 61 0c 00",
        "01 00 01 61 00 21",
        "01 00 01 ff 00 00",
        "01 00 01 61 ff",
    ):
        with pytest.raises(FormatError):
            read_header(bytes.fromhex(header))
    with pytest.raises(FormatError, match="16385 tensors"):
        read_header(varint((1 << 14) + 1))


def test_names_that_repeat_take_few_bytes() -> None:
    specs = [
        TensorSpec(f"layer{i}.{j}.conv1.weight", "<f4", (64, 64, 3, 3)) for i in range(3) for j in range(9)
    ]
    header = write_header(specs)
    assert read_header(header) == specs
    assert len(header) < 8 * len(specs) + 30
