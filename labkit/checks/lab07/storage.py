"""Visible checks 07.4 to 07.6 and 07.9: coordinates, sparse layers, bytes of each format, bitmaps.

The oracles are a loop over all positions, PyTorch's dense layers, the bytes of NumPy arrays and the
binary digits of a number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from labkit.checks.expect import Expect

__all__ = ["bitmaps", "coordinates", "sparse_layers", "storage"]

Answer = Callable[..., Any]

COO = "one column per nonzero value, in row-major order, and the values in the same order"
MASK = "there are as many columns as True entries, and together they cover the mask"
LINEAR = "y = x Wᵀ + bias"
CONV = "place the values in a dense weight of zeros, then convolve with padding 1"
BITS = "eight positions per byte, the first in the highest bit; the last byte is filled up with zeros"
BACK = "the bits in their order, without those that fill up the last byte, in the shape asked for"
BYTES = (
    "a COO entry takes 8 bytes per dimension and its value; a bitmap one bit per weight and the kept values"
)


def coordinates(expect: Expect, to_coo: Answer, indices_are_mask: Answer) -> None:
    """07.4: compare with a loop over all positions."""
    for weight in (
        torch.tensor([[0.0, 5.0], [7.0, 0.0]]),
        torch.tensor([[0.0, 0.0], [-3.0, 2.0]]),
        torch.tensor([0.0, -0.0, 1e-30, -2.0]),
        (torch.arange(36).view(2, 2, 3, 3) % 5 - 2).double(),
        torch.zeros(2, 3),
        torch.ones(1, 2, 1),
    ):
        case = expect.given(f"weight of shape {tuple(weight.shape)}, {int((weight != 0).sum())} not 0")
        got = case.call(to_coo, weight, hint=COO)
        pair = isinstance(got, tuple) and len(got) == 2 and all(isinstance(part, Tensor) for part in got)
        case.true(pair, expected="(indices, values)", got=got, hint="return two tensors")
        places = [place for place in np.ndindex(*weight.shape) if weight[place] != 0]
        indices = np.array(places, np.int64).reshape(-1, weight.ndim).T
        case.equal(got[0], indices, hint=COO)
        right = got[0].dtype == torch.int64
        case.true(right, expected="int64 indices", got=got[0].dtype, hint="COO counts in int64")
        case.equal(got[1], [weight[place].item() for place in places], hint=COO)
    mask = torch.tensor([[True, False, True], [False, True, False]])
    for named, expected, why in (
        ([[0, 0], [0, 2], [1, 1]], True, MASK),
        ([[1, 1], [0, 0], [0, 2]], True, "the order of the columns does not matter"),
        ([[0, 0], [0, 2]], False, "a kept position is missing"),
        ([[0, 0], [0, 2], [1, 1], [1, 2]], False, "a position outside the mask is named"),
        ([[0, 0], [0, 2], [1, 2]], False, "as many positions as the mask has, but not the same"),
        ([[0, 0], [0, 2], [1, 1], [1, 1]], False, "a position named twice would count its value twice"),
        ([[0, 0], [0, 0], [1, 1]], False, "as many columns as True entries, but one of them occurs twice"),
    ):
        case = expect.given(f"positions {named}, mask {mask.tolist()}")
        got = case.call(indices_are_mask, torch.tensor(named).T, mask.clone(), hint=MASK)
        case.true(isinstance(got, bool), expected="True or False", got=got, hint="return a bool")
        case.true(got == expected, expected=str(expected), got=got, hint=why)
    case, empty = expect.given("no positions, an empty mask"), torch.zeros(2, 0, dtype=torch.int64)
    got = case.call(indices_are_mask, empty, torch.zeros(2, 3, dtype=torch.bool), hint=MASK)
    case.true(got is True, expected="True", got=got, hint=MASK)


def sparse_layers(expect: Expect, linear: Answer, conv: Answer) -> None:
    """07.5: compare with dense layers, and use a weight that would not fit in memory if it were dense."""
    generator = torch.Generator().manual_seed(6)
    weights = [
        torch.randint(-1, 2, shape, generator=generator).float() for shape in ((4, 6), (1, 5), (5, 1))
    ]
    weights.insert(1, -weights[0].flip(0))
    for weight, n in zip([*weights, torch.eye(3)], (3, 3, 1, 2, 0), strict=True):
        shape = tuple(weight.shape)
        x, bias = torch.randn(n, shape[1], generator=generator), torch.randn(shape[0], generator=generator)
        case = expect.given(f"x ({n}, {shape[1]}), a weight {shape}, {int((weight != 0).sum())} kept")
        got = case.call(linear, x, *_coo(weight), shape, bias, hint=LINEAR)
        case.close(got, functional.linear(x, weight, bias), hint=LINEAR, atol=1e-5)
    size = 3_000_000
    case = expect.given(f"a weight ({size}, {size}) with two values: 36 TB if it were dense")
    place, why = (
        torch.tensor([[7, size - 1], [size - 1, 0]]),
        "never build the dense weight: torch.sparse.mm",
    )
    x = torch.zeros(1, size).index_fill_(1, torch.tensor([0, size - 1]), 1.0)
    got = case.call(linear, x, place, torch.tensor([2.0, 3.0]), (size, size), torch.zeros(size), hint=why)
    form = tuple(got.shape) if isinstance(got, Tensor) else type(got).__name__
    case.true(form == (1, size), expected=f"shape (1, {size})", got=form, hint=why)
    case.close([got[0, 7], got[0, -1], got.sum()], [2.0, 3.0, 5.0], hint=LINEAR)
    weights = [
        torch.randint(-1, 2, (*shape, 3, 3), generator=generator).float()
        for shape in ((3, 2), (1, 1), (2, 5))
    ]
    weights.insert(1, -weights[0].flip(0))
    for weight, height in zip(weights, (4, 4, 1, 3), strict=True):
        out, inputs = weight.shape[:2]
        x, bias = (
            torch.randn(2, inputs, height, 5, generator=generator),
            torch.randn(out, generator=generator),
        )
        case = expect.given(f"x {tuple(x.shape)}, a weight {tuple(weight.shape)}")
        got = case.call(conv, x, *_coo(weight), tuple(weight.shape), bias, hint=CONV)
        case.close(got, functional.conv2d(x, weight, bias, padding=1), hint=CONV, atol=1e-5)


def storage(expect: Expect, count: Answer, even: Answer) -> None:
    """07.6: compare with the bytes of arrays that hold the weight."""
    for weight in (
        torch.eye(3),
        torch.tensor([[0.0, 5.0, 0.0]]),
        torch.ones(2, 1, 3, 3),
        torch.zeros(3, 3),
        torch.eye(9, dtype=torch.float16),
        torch.eye(17, dtype=torch.float64)[:, :5],
        torch.zeros(0, 3),
    ):
        case = expect.given(
            f"{weight.dtype} weight of shape {tuple(weight.shape)}, {int((weight != 0).sum())} not 0"
        )
        array = weight.numpy()
        values = array[array != 0]
        expected = {
            "dense": array.size * array.itemsize,
            "coo": np.argwhere(array).astype(np.int64).nbytes + values.nbytes,
            "bitmap": np.packbits(array != 0).nbytes + values.nbytes,
        }
        got = case.call(count, weight, hint=BYTES)
        case.keys(got, list(expected), hint=BYTES)
        case.equal([got[form] for form in expected], list(expected.values()), hint=BYTES)
    for dimensions, size in ((4, 4), (2, 4), (1, 4), (4, 2), (3, 8)):
        case = expect.given(f"dimensions = {dimensions}, value_bytes = {size}")
        why = "at which share of kept weights do both forms take the same bytes? Answer with the zeros, in per cent"
        got = case.call(even, dimensions, size, hint=why)
        case.close(got, 100 - 100 * size / (size + 8 * dimensions), hint=why)
    why = "values are float32 unless said otherwise"
    expect.given("dimensions = 2").close(expect.given("2").call(even, 2, hint=why), 80.0, hint=why)


def bitmaps(expect: Expect, mask_to_bytes: Answer, bytes_to_mask: Answer) -> None:
    """07.9: compare with the binary digits of each byte, written as text."""
    generator = torch.Generator().manual_seed(9)
    masks = [
        torch.tensor([1, 0, 1, 1, 0, 0, 0, 0]).bool(),
        torch.tensor([0, 0, 1, 0, 0, 1, 1, 1]).bool(),
        torch.tensor([[1, 1, 1], [0, 0, 1], [0, 1, 1]]).bool(),
        torch.zeros(0, 4, dtype=torch.bool),
        torch.ones(3, dtype=torch.bool),
        torch.zeros(2, 2, 2, dtype=torch.bool),
        *(torch.rand(shape, generator=generator) < 0.4 for shape in ((2, 3, 3, 3), (7, 9), (65,))),
    ]
    for mask in masks:
        digits = "".join("1" if kept else "0" for kept in mask.flatten().tolist())
        padded = digits + "0" * (-len(digits) % 8)
        data = bytes(int(padded[start : start + 8], 2) for start in range(0, len(padded), 8))
        shown = mask.int().tolist() if mask.numel() < 10 else f"of shape {tuple(mask.shape)}"
        case = expect.given(f"mask {shown}")
        got = case.call(mask_to_bytes, mask.clone(), hint=BITS)
        right = isinstance(got, bytes)
        case.true(
            right, expected="bytes", got=type(got).__name__, hint="bytes(list_of_integers) makes them"
        )
        case.equal(list(got), list(data), hint=BITS)
        shape = tuple(mask.shape)
        case = expect.given(f"bytes {list(data)[:12]}, shape {shape}")
        got = case.call(bytes_to_mask, data, shape, hint=BACK)
        form = (got.dtype, tuple(got.shape)) if isinstance(got, Tensor) else type(got).__name__
        case.true(form == (torch.bool, shape), expected=f"a bool tensor {shape}", got=form, hint=BACK)
        case.equal(got, mask, hint=BACK)
    case = expect.given("bytes [200, 7], shapes (16,) and (2, 8)")
    for mask_shape in ((16,), (2, 8)):
        got = case.call(bytes_to_mask, bytes([200, 7]), mask_shape, hint=BACK)
        case.equal(got, np.array(list("1100100000000111")).reshape(mask_shape) == "1", hint=BACK)


def _coo(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return the indices ``(dimensions, nonzeros)`` and the values of the nonzero weights."""
    indices = torch.from_numpy(np.argwhere(weight.numpy()).T.copy())
    return indices, weight[weight != 0]
