from __future__ import annotations

import tracemalloc
import zlib
from collections.abc import Mapping

import numpy as np
import pytest
from crafted_containers import crafted, seal
from hypothesis import given
from hypothesis import strategies as st
from strategies import SETTINGS, sequences, stored_tensors

from labkit.coding import (
    Clustered,
    FormatError,
    NamedTensor,
    StoredTensor,
    decode,
    encode,
    ledger,
    read_container,
    symbol_stream,
)
from labkit.coding.bits import ByteReader
from labkit.coding.header import DTYPES, Header, TensorSpec, read_header, write_header
from labkit.coding.huffman import entropy_bits
from labkit.coding.symbol_stream import CODERS, read_stream, write_stream

pytestmark = pytest.mark.heavy

MEMORY_LIMIT_BYTES = 64 << 20
GOLDEN_HEADER = b'[["w","<f2",[2,2],2],["b","<f4",[2],null]]'
GOLDEN_BODY = (
    "00 01 06"  # the mask, raw
    "00 01 02"  # the values, one bit each
    "00 02 0000 00 02 bc3c"  # the codebook's low bytes, then the high ones
    "00 02 0000 00 02 0000 00 02 8000 00 02 3f40"  # b's four planes
)

BFLOAT16_BITS = np.array([0xBF80, 0x3F80], np.uint16)  # -1 and 1


def is_same(written: Mapping[str, StoredTensor], read: Mapping[str, StoredTensor]) -> bool:
    """Names, order, types, shapes and bits."""

    def bits(array: np.ndarray) -> tuple[str, tuple[int, ...], bytes]:
        return array.dtype.str, array.shape, array.tobytes()

    def same(left: StoredTensor, right: StoredTensor) -> bool:
        if type(left) is not type(right):
            return False
        if isinstance(left, NamedTensor):
            return left.dtype == right.dtype and same(left.stored, right.stored)
        if isinstance(left, Clustered):
            equal = left.indices.shape == right.indices.shape and (left.indices == right.indices).all()
            return bool(equal) and bits(left.codebook) == bits(right.codebook)
        return bits(left) == bits(right)

    return list(written) == list(read) and all(same(written[name], read[name]) for name in written)


def network(
    seed: int, *, shapes: Mapping[str, tuple[int, ...]], zeros: float = 0.87
) -> dict[str, StoredTensor]:
    """Tensors as a compressed network has them: 3-bit clustered weights, fp16 vectors."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, StoredTensor] = {}
    for name, shape in shapes.items():
        if len(shape) == 1:
            tensors[name] = rng.normal(1, 0.3, shape).astype(np.float16)
            continue
        levels = 1 + rng.binomial(6, 0.5, shape)
        indices = np.where(rng.random(shape) < zeros, 0, levels).astype(np.uint8)
        tensors[name] = Clustered(indices, np.sort(rng.normal(size=7)).astype(np.float16))
    return tensors


SMALL = network(0, shapes={"conv1.weight": (8, 3, 3, 3), "conv1.scale": (8,), "linear.weight": (10, 8)})


def encode_with(kind: int, tensors: Mapping[str, StoredTensor]) -> bytes:
    """The file with all its streams of this kind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(symbol_stream, "CODERS", {kind: CODERS[kind]})
        return encode(tensors)


@SETTINGS
@given(stored_tensors())
def test_what_is_put_in_comes_out_and_the_ledger_sums_to_the_file(tensors: dict[str, StoredTensor]) -> None:
    data = encode(tensors)
    assert is_same(tensors, decode(data))
    assert sum(row.size_bytes for row in ledger(data)) == len(data)
    assert encode(tensors) == data


@SETTINGS
@given(stored_tensors(), st.sampled_from(sorted(CODERS)))
def test_with_every_coder_what_is_put_in_comes_out_and_the_smallest_is_chosen(
    tensors: dict[str, StoredTensor], kind: int
) -> None:
    data = encode_with(kind, tensors)
    assert is_same(tensors, decode(data))
    assert sum(row.size_bytes for row in ledger(data)) == len(data)
    assert len(encode(tensors)) <= len(data)


@SETTINGS
@given(sequences(max_size=500))
def test_streams_round_trip(sequence: tuple[np.ndarray, int]) -> None:
    symbols, alphabet_size = sequence
    reader = ByteReader(write_stream(symbols, alphabet_size))
    read, _ = read_stream(reader, symbols.size, alphabet_size)
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
    coded = sizes["mask"] + sizes["values"]
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
    data = encode(tensors)
    size = data[5]
    assert data[:5].hex() == "894c4b4301"  # magic, version
    assert zlib.decompress(data[6 : 6 + size]) == GOLDEN_HEADER
    assert data[6 + size : -4].hex() == bytes.fromhex(GOLDEN_BODY).hex()
    assert data == seal(data[:-4])
    assert is_same(tensors, decode(crafted(GOLDEN_HEADER, bytes.fromhex(GOLDEN_BODY))))


def test_golden_bytes_of_version_2() -> None:
    tensors = {
        "w": NamedTensor("bfloat16", Clustered(np.array([[0, 1], [2, 0]]), BFLOAT16_BITS)),
        "h": NamedTensor("float16", np.array([1.5], np.float16)),
    }
    data = encode(tensors)
    size = data[5]
    assert data[:5].hex() == "894c4b4302"  # magic, version
    assert zlib.decompress(data[6 : 6 + size]) == b'[["w","bfloat16",[2,2],2],["h","float16",[1],null]]'
    body = "00 01 06  00 01 02  00 02 8080 00 02 bf3f  00 01 00 00 01 3e"
    assert data[6 + size : -4].hex() == bytes.fromhex(body).hex()
    assert data == seal(data[:-4])


def test_golden_bytes_of_version_3() -> None:
    tensors = {
        "c": NamedTensor("complex64", np.array([[1, 2]], np.float32)),
        "q": NamedTensor("float8_e5m2", np.array([60, 61], np.uint8)),
    }
    data = encode(tensors, {"format": "pt"})
    size = data[5]
    assert data[:5].hex() == "894c4b4303"  # magic, version
    assert zlib.decompress(data[6 : 6 + size]) == (
        b'{"metadata":{"format":"pt"},"tensors":[["c","complex64",[1],null],["q","float8_e5m2",[2],null]]}'
    )
    body = "00 00  00 00  00 02 0000 00 02 0000 00 02 8000 00 02 3f40  00 02 3c3d"
    assert data[6 + size : -4].hex() == bytes.fromhex(body).hex()
    assert data == seal(data[:-4])
    assert read_container(data).metadata == {"format": "pt"}


@pytest.mark.parametrize("metadata", [{"a": 1}, {1: "a"}, ["a"]])
def test_metadata_that_is_not_text_is_refused(metadata: object) -> None:
    with pytest.raises(ValueError, match="metadata"):
        encode({}, metadata)


def test_half_precision_types_need_version_2() -> None:
    data = encode({"a": NamedTensor("float16", np.ones(3, np.float16))})
    with pytest.raises(FormatError, match="version 2"):
        decode(seal(data[:4] + b"\x01" + data[5:-4]))


@pytest.mark.parametrize(
    ("tensors", "error", "message"),
    [
        ({"a": NamedTensor("bfloat16", np.zeros(2, np.float16))}, TypeError, "bfloat16"),
        ({"a": NamedTensor("float16", np.zeros(2, np.uint16))}, TypeError, "float16"),
        ({"a": NamedTensor("float8", np.zeros(2, np.uint8))}, TypeError, "float8"),
        ({"a": NamedTensor("complex64", np.zeros(2, np.float64))}, TypeError, "complex64"),
        ({"a": NamedTensor("complex64", np.zeros((2, 3), np.float32))}, TypeError, "complex64"),
        ({"a": Clustered(np.array([0]), np.zeros(2, np.uint16))}, ValueError, "codebook"),
        ({"a": np.zeros(2, np.complex64)}, TypeError, "'a' is complex64"),
        ({"a": np.array(["x"])}, TypeError, "'a'"),
        ({7: np.zeros(2)}, ValueError, "tensor 7"),
        ({f"{i:01000}": np.zeros(0) for i in range(1100)}, ValueError, "1100 tensors take a header of"),
        ({"a": np.zeros((0, 1 << 41), np.float16)}, ValueError, "at most 32 dimensions and 2"),
        ({"a": Clustered(np.array([3]), np.zeros(2, np.float32))}, ValueError, "0 to 2, got 3 to 3"),
        ({"a": Clustered(np.array([-1]), np.zeros(2, np.float32))}, ValueError, "got -1"),
        ({"a": Clustered(np.array([0.0]), np.zeros(2, np.float32))}, TypeError, "integers"),
        ({"a": Clustered(np.array([0]), np.zeros(2))}, ValueError, "float32, float16 or bfloat16"),
        ({"a": Clustered(np.array([0]), np.zeros((2, 1), np.float32))}, ValueError, "codebook"),
    ],
)
def test_what_cannot_be_stored_is_refused(
    tensors: dict[str, StoredTensor], error: type, message: str
) -> None:
    with pytest.raises(error, match=message):
        encode(tensors)


def test_any_text_is_a_name() -> None:
    tensors = {name: np.zeros(2) for name in ("", "x" * 5000, 'a"\\b', "\n", "größe", "\U0001f600")}
    assert is_same(tensors, decode(encode(tensors)))


def test_foreign_files_and_other_versions_are_refused() -> None:
    for foreign in (b"", b"\x89", b"PK\x03\x04", b"\x80\x04pickle", bytes(1000), b"{}" * 100):
        with pytest.raises(FormatError, match="not a labkit container"):
            decode(foreign)
    data = encode(SMALL)
    for version in (b"\x00", b"\x04", b"\xff"):
        with pytest.raises(FormatError, match=f"version {version.hex()}"):
            decode(data[:4] + version + data[5:])


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
    originals = [encode(SMALL), *(encode_with(kind, SMALL) for kind in CODERS)]
    refused = 0
    tracemalloc.start()
    for number in range(10_000):
        try:
            read = decode(damage(originals[number % len(originals)], rng))
        except FormatError:
            refused += 1
        else:
            assert is_same(SMALL, read)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > 9_000
    assert peak < MEMORY_LIMIT_BYTES


@pytest.mark.parametrize("kind", sorted(CODERS))
def test_damage_under_a_right_checksum_never_crashes_nor_runs_out_of_memory(kind: int) -> None:
    rng = np.random.default_rng(1)
    original = encode_with(kind, SMALL)[:-4]
    refused = 0
    tracemalloc.start()
    for _ in range(300):
        try:
            decode(seal(damage(original, rng)))
        except FormatError:
            refused += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert refused > 40
    assert peak < MEMORY_LIMIT_BYTES


@pytest.mark.parametrize(
    "header",
    [
        [["a", "<f4", [1 << 39, 1 << 39], None]],
        [["a", "<f4", [0, 1 << 40, 1 << 40], None]],
        [["a", "<f2", [1 << 40, 1 << 40, 0], 1]],
        [["a", "<f4", [1 << 20], None]],
        [[f"{i}", "|u1", [1 << 19], None] for i in range(4)],
        [["a", "<f2", [1 << 21], 3]],
        [[f"{i}", "<f2", [0, 1 << 40], 65_535] for i in range(300)],
    ],
)
def test_headers_that_promise_too_much_are_refused_before_memory_is_used(header: object) -> None:
    data = crafted(header, write_stream(np.zeros(0, np.uint8), 2) * 2)
    tracemalloc.start()
    with pytest.raises(FormatError):
        decode(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1 << 20


@pytest.mark.parametrize("kind", [1, 2])
def test_the_largest_content_of_a_small_file_stays_within_memory(kind: int) -> None:
    size = symbol_stream.FREE_SYMBOLS
    constant = bytes([kind, 2, 1, 1])  # only symbol 0
    header = [["a", "<f2", [size], 0], *([dtype, dtype, [size], None] for dtype in DTYPES)]
    bomb = crafted(header, constant + b"\x00\x00" + constant * sum(int(dtype[2]) for dtype in DTYPES))
    tracemalloc.start()
    read = decode(bomb)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert read["a"].indices.size == read["<f8"].size == size
    assert peak < MEMORY_LIMIT_BYTES


def test_long_and_deep_headers_stay_within_memory() -> None:
    for content in (b"[" + b"[]," * 340_000 + b"[]]", b"[" * 500_000, b"9" * 1_000_000, bytes(1 << 24)):
        bomb = crafted(content)
        tracemalloc.start()
        with pytest.raises(FormatError):
            decode(bomb)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < MEMORY_LIMIT_BYTES


def test_a_stream_that_promises_more_symbols_than_its_bytes_allow_is_refused() -> None:
    with pytest.raises(FormatError, match="symbols in a stream of 2 bytes"):
        read_stream(ByteReader(bytes([2, 2, 1, 1])), symbol_stream.FREE_SYMBOLS + 2 * 256 + 1, 2)


def test_very_compressible_tensors_are_stored_so_that_a_reader_accepts_them() -> None:
    tensors = {
        "w": Clustered(np.zeros(3_000_000, np.uint8), np.zeros(0, np.float16)),
        "b": np.zeros(1_000_000, np.float32),
    }
    assert is_same(tensors, decode(encode(tensors)))


def test_duplicate_names_and_headers_of_anything_else_are_refused() -> None:
    tensor = ["a", "<f4", [2], None]
    with pytest.raises(FormatError, match="duplicate"):
        decode(crafted([tensor, tensor]))
    for shape, dtype in ((0, "|O"), ([0], ["<f4"]), ([-1], "<f4"), ([2], "<c8"), ([2], None)):
        with pytest.raises(FormatError, match="header"):
            decode(crafted([["a", dtype, shape, None]]))
    for header in (
        7,
        {},
        [7],
        [[]],
        [tensor[:3]],
        [[*tensor, 1]],
        [[7, "<f4", [2], None]],
        [["a", "<f4", 2, None]],
        [["a", "<f4", "2", None]],
        [["a", "<f4", [True], None]],
        [["a", "<f4", [2.0], None]],
        [["a", "<f4", [1] * 33, None]],
        [["a", "<f4", [2], -1]],
        [["a", "<f4", [2], "1"]],
        [["a", "<f4", [2], 1 << 16]],
        [["a", "<f8", [2], 1]],
        b"",
        b"\xff",
        b"[[",
        b"[NaN]",
    ):
        with pytest.raises(FormatError):
            decode(crafted(header))
    for damaged in (b"", b"abc", zlib.compress(b"[]")[:-1], zlib.compress(b"[]") + b"\x00"):
        with pytest.raises(FormatError):
            read_header(damaged, 1)


def test_names_that_repeat_take_few_bytes() -> None:
    specs = [
        TensorSpec(f"layer{i}.{j}.conv1.weight", "<f4", (64, 64, 3, 3)) for i in range(3) for j in range(9)
    ]
    header = write_header(Header(tuple(specs)))
    assert read_header(header, 1).specs == tuple(specs)
    assert len(header) < 8 * len(specs) + 30
