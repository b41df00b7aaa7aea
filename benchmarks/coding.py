"""Huffman and rANS in NumPy beside bitarray (C), constriction (Rust) and zstd: speed and bits.

    OMP_NUM_THREADS=1 python benchmarks/coding.py --symbols 15000000 270000

Two streams of a 32-letter alphabet: GAUSS, the k-means indices of normal values; SPARSE, the same after
pruning 90 % of them, index 0 for a pruned one. The peers get the counts, and what they build
from them alone, untimed; labkit's counts, table and lane index are timed, its table and index counted.
rANS has as many lanes as 0.8 % of a short stream pays for, by default fewer. Seconds are processor time
(what wall-clock time is on an idle core, but steady on a shared one), the best of several runs, the
coders in turn. bitarray reads and makes lists, its fastest form; turning arrays into lists is untimed.
Needs the ``bench`` extra.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import bitarray
import bitarray.util
import constriction
import numpy as np
import zstandard

from labkit.coding import huffman_stream, rans
from labkit.coding.huffman import entropy_bits
from labkit.environment import environment_stamp
from labkit.quantization.kmeans import kmeans
from labkit.tables import table_bundle

LETTERS = 32


class Coder(NamedTuple):
    """A coder of one stream: what is timed, the size of what it makes, and back to an array."""

    encode: Callable[[], Any]
    decode: Callable[[Any], Any]
    size_bytes: Callable[[Any], int]


class Run(NamedTuple):
    """Millions of symbols per second of processor time, and bits per symbol."""

    encode: float
    decode: float
    bits: float


def gauss(count: int, rng: np.random.Generator) -> np.ndarray:
    """Indices ``(count,)`` of the nearest of 32 centroids of normal values."""
    values = rng.standard_normal(count, np.float32)
    return nearest(values, kmeans(values[:1_000_000], LETTERS).centroids)


def sparse(count: int, rng: np.random.Generator) -> np.ndarray:
    """The same with 31 centroids after pruning 90 % by magnitude; 0 stands for pruned."""
    values = rng.standard_normal(count, np.float32)
    kept = np.abs(values) > np.quantile(np.abs(values[:1_000_000]), 0.9)
    indices = 1 + nearest(values, kmeans(values[kept][:1_000_000], LETTERS - 1).centroids)
    return np.where(kept, indices, 0).astype(np.uint8)


def nearest(values: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """The index of each value's nearest centroid."""
    ordered = np.sort(centroids)
    return np.searchsorted((ordered[1:] + ordered[:-1]) / 2, values).astype(np.uint8)


def coders(symbols: np.ndarray, counts: np.ndarray, zstd_level: int) -> dict[str, Coder]:
    """Every coder, ready for this stream."""
    n = symbols.size
    lanes = int(entropy_bits(counts) * n / 8 / 360) if n < 1_000_000 else None
    words = bitarray.util.huffman_code({letter: int(c) for letter, c in enumerate(counts) if c})
    as_list, as_int32, as_bytes = symbols.tolist(), symbols.astype(np.int32), symbols.tobytes()
    model = constriction.stream.model.Categorical((counts / n).astype(np.float32), perfect=False)
    zstd = zstandard.ZstdCompressor(zstd_level), zstandard.ZstdDecompressor()

    def huffman_in_c() -> bitarray.bitarray:
        bits = bitarray.bitarray()
        bits.encode(words, as_list)
        return bits

    def ans_in_rust() -> np.ndarray:
        coder = constriction.stream.stack.AnsCoder()
        coder.encode_reverse(as_int32, model)
        return coder.get_compressed()

    return {
        "bitarray (Huffman)": Coder(
            huffman_in_c, lambda bits: list(bits.decode(words)), lambda b: len(b) // 8
        ),
        "constriction (ANS)": Coder(
            ans_in_rust,
            lambda w: constriction.stream.stack.AnsCoder(w).decode(model, n),
            lambda w: w.nbytes,
        ),
        f"zstd -{zstd_level}": Coder(lambda: zstd[0].compress(as_bytes), zstd[1].decompress, len),
        "labkit Huffman": Coder(
            lambda: huffman_stream.encode(symbols, LETTERS),
            lambda data: huffman_stream.decode(data, n, LETTERS),
            len,
        ),
        "labkit rANS": Coder(
            lambda: rans.encode(symbols, LETTERS, lanes=lanes),
            lambda data: rans.decode(data, n, LETTERS),
            len,
        ),
    }


def measure(symbols: np.ndarray, chosen: dict[str, Coder], repeats: int) -> dict[str, Run]:
    """Every coder in turn, that often; a wrong round trip ends the benchmark."""
    best = {name: [np.inf, np.inf, 0.0] for name in chosen}
    for _ in range(repeats):
        for name, coder in chosen.items():
            start = time.process_time()
            coded = coder.encode()
            between = time.process_time()
            decoded = coder.decode(coded)
            seconds = between - start, time.process_time() - between
            array = np.frombuffer(decoded, np.uint8) if isinstance(decoded, bytes) else np.asarray(decoded)
            if not np.array_equal(array, symbols):
                raise SystemExit(f"{name}: what was decoded is not what was encoded")
            best[name][:2] = np.minimum(best[name][:2], seconds)
            best[name][2] = 8 * coder.size_bytes(coded) / symbols.size
    return {
        name: Run(symbols.size / encode / 1e6, symbols.size / decode / 1e6, bits)
        for name, (encode, decode, bits) in best.items()
    }


def show(title: str, entropy: float, runs: dict[str, Run]) -> None:
    """Print one table."""
    rows = [[name, *run, 100 * (run.bits / entropy - 1)] for name, run in runs.items()]
    columns = ["coder", "encode (Msymbols/s)", "decode (Msymbols/s)", "bits/symbol", "above entropy (%)"]
    print(
        table_bundle(f"{title}: entropy {entropy:.4f} bits", columns, rows, digits=3)["text/plain"],
        end="\n\n",
    )


def verdict(claim: str, value: float, holds: bool) -> None:
    """Print whether a claim holds."""
    print(f"{'holds' if holds else 'FAILS'}: {claim}: {value:.2f}")


def judge(symbols: np.ndarray, entropy: float, runs: dict[str, Run]) -> None:
    """Print which claims hold for this stream."""
    large = symbols.size >= 1_000_000
    huffman, rust, c = runs["labkit Huffman"], runs["constriction (ANS)"], runs["bitarray (Huffman)"]
    ours = runs["labkit rANS"]
    encode, decode = huffman.encode / c.encode, huffman.decode / c.decode
    least = (2.5, 1.8) if large else (1.0, 1.0)
    verdict(f"Huffman encodes at least {least[0]} times as fast as bitarray", encode, encode >= least[0])
    verdict(f"Huffman decodes at least {least[1]} times as fast as bitarray", decode, decode >= least[1])
    lanes = 100 * (
        huffman.bits * symbols.size / 8 / len(huffman_stream.encode(symbols, LETTERS, lanes=1)) - 1
    )
    verdict("Huffman's lanes cost less than 1 % of the bits", lanes, lanes < 1)
    if large:
        ratio = ours.decode / rust.decode
        verdict("rANS decodes at least 2.5 times as fast as constriction", ratio, ratio >= 2.5)
        gap = 100 * (ours.bits / entropy - 1)
        verdict("rANS takes at most 0.5 % more than the entropy", gap, gap <= 0.5)
    else:
        lanes = 100 * (ours.bits * symbols.size / 8 / len(rans.encode(symbols, LETTERS, lanes=1)) - 1)
        verdict("rANS' lanes cost less than 1 % of the bits", lanes, lanes < 1)
        ratio = ours.decode / c.decode
        verdict("rANS decodes at least as fast as bitarray's Huffman", ratio, ratio >= 1)
    print()


def main() -> None:
    """Measure, print the tables, and say which claims hold."""
    parser = argparse.ArgumentParser(description="entropy coders beside their peers")
    parser.add_argument("--symbols", type=int, nargs="+", default=[15_000_000, 270_000])
    parser.add_argument(
        "--repeats", type=int, default=3, help="timed runs; ten times as many of short streams"
    )
    parser.add_argument("--zstd-level", type=int, default=19)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(", ".join(f"{key} {value}" for key, value in environment_stamp().items()), end="\n\n")
    for count in arguments.symbols:
        for name, make in (("GAUSS", gauss), ("SPARSE", sparse)):
            symbols = make(count, np.random.default_rng(arguments.seed))
            counts = np.bincount(symbols, minlength=LETTERS)
            repeats = arguments.repeats * (1 if count >= 1_000_000 else 10)
            runs = measure(symbols, coders(symbols, counts, arguments.zstd_level), repeats)
            show(f"{name}, {count} symbols", entropy_bits(counts), runs)
            judge(symbols, entropy_bits(counts), runs)


if __name__ == "__main__":
    main()
