"""09.1 to 09.5: unfolding, outputs per channel, channel selection, least squares, slicing.

The oracles are convolution itself, explicit loops, the LASSO path of the full design matrix, NumPy's
least squares, and networks whose channels were set to zero.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import lars_path
from torch import Tensor, nn
from torch.nn import functional

from labkit.checks.expect import Case, Expect

__all__ = ["channel_outputs", "choose_channels", "cut_channels", "fit_weight", "unfold_inputs"]

Answer = Callable[..., Any]

UNFOLD = "row (image, height, width) holds what the kernel sees there: channel by channel, row by row"
SHARES = "column i is Xᵢ Wᵢᵀ, flattened as X Wᵀ would be: only the kernel's columns of channel i take part"
PATH = "take the first solution on the path with at least count nonzero β; drop the smallest |β|"
FIT = "minimize ‖Y − X Wᵀ‖² over W: no intercept, no penalty"
SLICE = "the convolution loses filters, its batch norm their entries, the next convolution input columns"
UNTOUCHED = "leave the arguments as they are and return something new"


def unfold_inputs(expect: Expect, answer: Answer) -> None:
    """09.1: X Wᵀ must be the convolution, and every entry must be in its place."""
    generator = torch.Generator().manual_seed(1)
    for shape, kernel, padding, why in (
        ((2, 3, 5, 4), 3, 1, UNFOLD),
        ((1, 2, 3, 3), 3, 1, "values outside the image are 0"),
        ((2, 3, 5, 4), 3, 0, "without padding there are fewer positions"),
        ((2, 5, 3, 2), 1, 0, "a kernel of 1 sees one value per channel"),
        ((1, 1, 6, 6), 5, 2, "kernels are not always 3 × 3"),
        ((4, 3, 2, 2), 2, 0, "one position per image"),
    ):
        x = torch.randn(shape, generator=generator, dtype=torch.float64)
        case = expect.given(f"x of shape {shape}, kernel {kernel}, padding {padding}")
        got = _unchanged(case, answer, (x, kernel, padding), hint=UNFOLD)
        case.close(got, _patches(x, kernel, padding), hint=why)
        weight = torch.randn(6, shape[1], kernel, kernel, generator=generator, dtype=torch.float64)
        expected = functional.conv2d(x, weight, padding=padding).permute(0, 2, 3, 1).reshape(-1, 6)
        expect.given(f"X Wᵀ for {case}").close(got @ weight.flatten(1).T, expected, hint=why)


def channel_outputs(expect: Expect, answer: Answer) -> None:
    """09.2: compare with one matrix product per channel."""
    generator = torch.Generator().manual_seed(2)
    for rows, n, c, kernel, why in (
        (7, 4, 3, (3, 3), SHARES),
        (7, 4, 3, (3, 3), "the same shapes, other values"),
        (5, 1, 6, (1, 1), "a kernel of 1: one column of X per channel; one output"),
        (1, 3, 2, (3, 3), "one row"),
        (6, 5, 1, (3, 3), "one channel: Z is the whole output"),
        (4, 3, 5, (1, 3), "the kernel need not be square"),
    ):
        weight = torch.randn(n, c, *kernel, generator=generator, dtype=torch.float64)
        x = torch.randn(rows, weight[0].numel(), generator=generator, dtype=torch.float64)
        case = expect.given(f"X of shape {tuple(x.shape)}, W of shape {tuple(weight.shape)}")
        got = _unchanged(case, answer, (x, weight), hint=SHARES)
        k = kernel[0] * kernel[1]
        columns = [x[:, i * k : i * k + k] @ weight[:, i].reshape(n, k).T for i in range(c)]
        case.close(got, torch.stack([column.flatten() for column in columns], 1), hint=why)


def choose_channels(expect: Expect, answer: Answer) -> None:
    """09.3: compare with the path of the full design matrix; orthogonal, correlated and dead channels."""
    generator = torch.Generator().manual_seed(3)
    for rows, c, mixing, why in (
        (40, 6, 0.0, PATH),
        (60, 8, 1.0, "of two nearly equal channels the LASSO takes one and leaves the other"),
        (200, 12, 3.0, PATH),
    ):
        z, y = _design(rows, c, mixing, generator)
        for count in range(1, c + 1):
            case = expect.given(f"Z of shape {(rows, c)}, correlation {mixing:g}, count {count}")
            expected = _on_the_path(z, y, count)
            _chooses(case, answer, (z, y, count), expected, hint=why)
    z, y = torch.eye(5, dtype=torch.float64), torch.tensor([0.5, -4.0, 3.0, 0.1, -1.0]).double()
    why = "β may be negative: rank by |β|"
    _chooses(expect.given("Z = I, y = (0.5, −4, 3, 0.1, −1), count 2"), answer, (z, y, 2), [1, 2], hint=why)
    z, y = _design(40, 6, 0.0, generator)
    z[:, [0, 4]] = 0.0
    why = "a channel that is always 0 never enters the path; return exactly count channels all the same"
    case = expect.given("Z with columns 0 and 4 all zero")
    live = _on_the_path(z[:, [1, 2, 3, 5]], y, 3)
    expected = [[1, 2, 3, 5][place] for place in live]
    _chooses(expect.given(f"{case}, count 3"), answer, (z, y, 3), expected, hint=why)
    _chooses(
        expect.given(f"{case}, count 5"), answer, (z, y, 5), [0, 1, 2, 3, 5], hint=f"{why}; lowest first"
    )


def fit_weight(expect: Expect, answer: Answer) -> None:
    """09.4: the error equals that of NumPy's least squares, whatever the rank."""
    generator = torch.Generator().manual_seed(4)
    for rows, columns, n, why in (
        (30, 9, 4, FIT),
        (50, 12, 1, "one output"),
        (6, 18, 4, "fewer rows than columns: many W have error 0; return one that is finite"),
    ):
        x = torch.randn(rows, columns, generator=generator, dtype=torch.float64) + 0.5
        y = torch.randn(rows, n, generator=generator, dtype=torch.float64) + 2.0
        _fits(expect.given(f"X of shape {(rows, columns)}, Y of shape {(rows, n)}"), answer, x, y, hint=why)
    x = torch.randn(30, 9, generator=generator, dtype=torch.float64)
    y = torch.randn(30, 4, generator=generator, dtype=torch.float64)
    x[:, 4] = 0.0
    x[:, 7] = x[:, 2]
    why = "XᵀX has no inverse here, but the minimum exists"
    _fits(expect.given("X with a column of zeros and two equal ones"), answer, x, y, hint=why)


def cut_channels(expect: Expect, answer: Answer) -> None:
    """09.5: compare the sliced layers with the whole ones, with the other channels set to zero."""
    torch.manual_seed(5)
    for settings, kept, why in (
        ({}, [0, 2, 5], SLICE),
        ({}, [0, 1, 2, 3, 4, 5], "all kept: nothing changes"),
        ({"bias": False}, [1, 3], "a convolution may have no bias"),
        ({"padding": 0, "stride": 2}, [3], "padding and stride stay; one channel may be left"),
        ({"padding": 0, "kernel_size": 1}, [2, 4, 5], "the kernel's size stays as it is"),
    ):
        options: dict[str, Any] = {"kernel_size": 3, "padding": 1, **settings}
        layers = (nn.Conv2d(3, 6, **options), nn.BatchNorm2d(6, eps=0.1), nn.Conv2d(6, 4, **options))
        _stir(layers[1], places=len(kept))
        case = expect.given(f"3 → 6 → 4 channels, {settings or 'plain 3 × 3'}, kept {kept}")
        _cuts(case, answer, layers, kept, hint=why)


def _unchanged(case: Case, answer: Answer, inputs: tuple[Any, ...], *, hint: str) -> Any:
    """Return the answer's value; check that its arguments stay unchanged."""
    copies = copy.deepcopy(inputs)
    got = case.call(answer, *inputs, hint=hint)
    pairs = zip(map(torch.as_tensor, inputs), map(torch.as_tensor, copies), strict=True)
    same = all(torch.equal(now, then) for now, then in pairs)
    case.true(same, expected="arguments unchanged", got="other values", hint=UNTOUCHED)
    return got


def _patches(x: Tensor, k: int, padding: int) -> np.ndarray:
    """Copy what the kernel sees, position by position."""
    padded = np.pad(x.numpy(), ((0, 0), (0, 0), (padding,) * 2, (padding,) * 2))
    places = np.ndindex(len(padded), padded.shape[2] - k + 1, padded.shape[3] - k + 1)
    return np.array([padded[i, :, top : top + k, left : left + k].ravel() for i, top, left in places])


def _design(rows: int, c: int, mixing: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Draw channels that share ``mixing`` of a common part, and a weighted sum of them as target."""
    z = torch.randn(rows, c, generator=generator, dtype=torch.float64)
    z = (z + mixing * z[:, :1]) * (0.3 + torch.rand(c, generator=generator, dtype=torch.float64))
    return z, z @ torch.linspace(1.5, -0.5, c).double() + 0.3 * z.roll(1, 0).sum(1)


def _on_the_path(z: Tensor, y: Tensor, count: int) -> list[int]:
    """Return the channels of the first solution with enough of them, on the path of the full design."""
    _, _, path = lars_path(z.numpy(), y.numpy(), method="lasso")
    step = next(beta for beta in path.T if np.count_nonzero(beta) >= count)
    return sorted(np.argsort(-abs(step), kind="stable")[:count].tolist())


def _chooses(
    case: Case,
    answer: Answer,
    inputs: tuple[Tensor, Tensor, int],
    expected: list[int],
    *,
    hint: str,
) -> None:
    """Check one selection, compared exactly."""
    z, y, count = inputs
    got = _unchanged(case, answer, (z, y, count), hint=hint)
    whole = isinstance(got, Tensor) and got.dtype == torch.int64
    case.true(whole, expected="an int64 tensor", got=got, hint="indices of channels, ascending")
    case.equal(got, expected, hint=hint)


def _fits(case: Case, answer: Answer, x: Tensor, y: Tensor, *, hint: str) -> None:
    """Check one fit: its shape, finite values, and the least possible error."""
    got = _unchanged(case, answer, (x, y), hint=FIT)
    form, expected = tuple(getattr(got, "shape", ())), (y.shape[1], x.shape[1])
    case.true(form == expected, expected=f"shape {expected}", got=form, hint="W is (n, columns)")
    finite = bool(got.isfinite().all()) and float(got.abs().max()) < 1e6
    case.true(finite, expected="finite weights", got=got, hint=hint)
    best = np.linalg.lstsq(x.numpy(), y.numpy(), rcond=None)[0]
    least = float(((y.numpy() - x.numpy() @ best) ** 2).sum())
    error = float((y - x @ got.T).square().sum())
    case.given(f"the squared error for {case}").close(error, least, hint=hint, atol=1e-7, rtol=1e-6)


def _stir(norm: nn.BatchNorm2d, *, places: int) -> None:
    """Set statistics and parameters that differ from channel to channel, rotated by ``places``."""

    def spread(start: float, end: float) -> Tensor:
        return torch.linspace(start, end, norm.num_features).roll(places)

    with torch.no_grad():
        norm.weight.copy_(spread(0.5, 2.0))
        norm.bias.copy_(spread(-0.4, 0.6))
    norm.running_mean, norm.running_var = spread(0.3, -0.3), spread(0.2, 3.0)


def _cuts(case: Case, answer: Answer, layers: tuple[nn.Module, ...], kept: list[int], *, hint: str) -> None:
    """Check one slicing: the sizes of three layers, their output, and that the originals are unchanged."""
    copies = [copy.deepcopy(layer).eval() for layer in layers]
    got = case.call(answer, *layers, torch.tensor(kept), hint=SLICE)
    three = isinstance(got, tuple) and len(got) == 3
    case.true(three, expected="(convolution, norm, next)", got=got, hint="return three layers")
    names = ("the convolution", "its batch norm", "the next convolution")
    for name, layer, before in zip(names, layers, copies, strict=True):
        pairs = zip(layer.state_dict().values(), before.state_dict().values(), strict=True)
        same = all(torch.equal(now, then) for now, then in pairs)
        case.true(same, expected=f"{name} unchanged", got="other values", hint=UNTOUCHED)
    m = len(kept)
    for name, layer, before, (axis, field) in zip(
        names, got, copies, ((0, "out_channels"), (0, "num_features"), (1, "in_channels")), strict=True
    ):
        expected = list(before.state_dict()["weight"].shape)
        expected[axis] = m
        form = [*layer.state_dict()["weight"].shape, getattr(layer, field)]
        why = f"weights of the kept channels only, and {field} says how many"
        case.given(f"{name}: weight's shape, {field}; {case}").equal(form, [*expected, m], hint=why)
    x = torch.randn(2, 3, 7, 7)
    mask = torch.zeros(1, 6, 1, 1)
    mask[:, kept] = 1.0
    first, norm, second = copies
    with torch.no_grad():
        whole = second(norm(first(x)).relu() * mask)
        out = got[2].eval()(got[1].eval()(got[0].eval()(x)).relu())
    case.given(f"the output for {case}").close(out, whole, hint=hint, atol=1e-5, rtol=1e-4)
