"""Hypothesis strategies that several test modules share."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from labkit.coding import Clustered, NamedTensor, StoredTensor
from labkit.coding.header import DTYPES, NAMED_DTYPES

SETTINGS = settings(deadline=None, derandomize=True, max_examples=60, database=None)


@st.composite
def sequences(draw: st.DrawFn, *, max_size: int = 3000) -> tuple[NDArray[np.int64], int]:
    """Symbols ``(n,)`` and the size of their alphabet: long and short, flat, skewed and constant."""
    alphabet_size = draw(st.sampled_from([1, 2, 3, 5, 32, 255, 256, 257, 5000]))
    size = draw(st.one_of(st.integers(0, 20), st.integers(0, max_size)))
    skew = draw(st.sampled_from([0.0, 0.5, 2.0, 20.0]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    weights = np.exp(-skew * rng.exponential(size=alphabet_size))
    symbols = rng.choice(alphabet_size, size=size, p=weights / weights.sum())
    return symbols, alphabet_size


def counts(*, max_symbols: int = 40) -> st.SearchStrategy[list[int]]:
    """How often each symbol of a small alphabet occurs, zeros included."""
    count = st.one_of(st.integers(0, 5), st.integers(0, 10**9))
    return st.lists(count, min_size=1, max_size=max_symbols)


shapes = st.lists(st.integers(0, 5), max_size=4).map(tuple)


@st.composite
def dense_arrays(draw: st.DrawFn) -> NDArray[np.generic]:
    """An array of any type that a container holds, any bit pattern: NaN payloads and −0.0 too."""
    dtype = np.dtype(draw(st.sampled_from(DTYPES)))
    shape = draw(shapes)
    size = int(np.prod(shape, dtype=int)) * dtype.itemsize
    content = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), np.uint8)
    return (content & 1 if dtype.kind == "b" else content).view(dtype).reshape(shape)


@st.composite
def clustered_tensors(draw: st.DrawFn) -> Clustered:
    """A clustered tensor, among them empty, all pruned, without zeros and with unused centroids."""
    dtype = draw(st.sampled_from([np.float32, np.float16]))
    codebook = np.array(draw(st.lists(st.floats(width=16), max_size=9)), dtype)
    shape = draw(shapes)
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    kept = rng.random(shape) < draw(st.sampled_from([0.0, 0.1, 1.0]))
    indices = kept * rng.integers(min(1, codebook.size), codebook.size, shape, endpoint=True)
    return Clustered(indices.astype(np.uint8), codebook)


@st.composite
def named_tensors(draw: st.DrawFn) -> NamedTensor:
    """A tensor of a named type, as an array of any bits or, where that is allowed, clustered."""
    dtype, form = draw(st.sampled_from(sorted(NAMED_DTYPES.items())))
    if form.version == 2 and draw(st.booleans()):
        clustered = draw(clustered_tensors())
        codebook = clustered.codebook.astype(np.float16).view(form.dtype)
        return NamedTensor(dtype, Clustered(clustered.indices, codebook))
    shape = (*draw(shapes), *[form.items] * (form.items > 1))
    size = int(np.prod(shape, dtype=int)) * np.dtype(form.dtype).itemsize
    bits = np.frombuffer(draw(st.binary(min_size=size, max_size=size)), form.dtype)
    return NamedTensor(dtype, bits.reshape(shape))


def stored_tensors() -> st.SearchStrategy[dict[str, StoredTensor]]:
    """Tensors by name, of all kinds."""
    names = st.one_of(
        st.sampled_from(["conv1.weight", "layer1.0.conv1.weight", "layer1.1.conv1.weight", "linear.bias"]),
        st.text(st.characters(codec="utf-8"), max_size=12),
    )
    kinds = st.one_of(dense_arrays(), clustered_tensors(), named_tensors())
    return st.dictionaries(names, kinds, max_size=6)
