"""Least-squares reconstruction of a layer and its LASSO path, from second moments of its inputs.

A layer with weight ``(n, c, kh, kw)`` maps each row of its unfolded input ``X (N, c·kh·kw)``, one row
per output position, to ``Y (N, n)``. XᵀX and XᵀY suffice for selecting channels (He et al. 2017) and for
reconstructing the weight by least squares, so X and Z are never in memory as a whole.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lars_path_gram
from torch import Tensor
from torch.nn import functional

__all__ = [
    "LassoPath",
    "Moments",
    "channel_gram",
    "lasso_path",
    "least_squares",
    "relative_error",
    "streamed_moments",
]

PIVOT = 1e-13  # a squared Cholesky pivot below this share of the largest diagonal is rounding
BLOCK = 32  # channels
FIRST_RIDGE = 1e-10  # of the mean diagonal; multiplied by ten until the matrix is positive definite
FEW_ROWS_RIDGE = 1e-3  # used where there are fewer rows than columns, so the minimum is not unique


class Moments(NamedTuple):
    """Sums over all rows, float64: ``xx (c·k, c·k)``, ``xy (c·k, n)``, ``yy`` = ‖Y‖²; ``k`` = kh·kw."""

    xx: Tensor
    xy: Tensor
    yy: float
    rows: int
    kernel_size: int

    @property
    def channel_count(self) -> int:
        """The number c of input channels."""
        return len(self.xx) // self.kernel_size


class LassoPath(NamedTuple):
    """The solutions of min ‖y − Zβ‖²/(2·rows) + alpha·‖β‖₁ at which β changes its support.

    ``alphas (steps,)`` decrease and have scikit-learn's scale; ``coefficients (c, steps)``.
    """

    alphas: np.ndarray
    coefficients: np.ndarray


def streamed_moments(
    batches: Iterable[tuple[Tensor, Tensor]], kernel: tuple[int, int], *, padding: int = 0
) -> Moments:
    """Compute the moments of a layer over ``batches``, with one batch in memory at a time.

    Products are computed in the type of the inputs and summed in float64.

    Args:
        batches: inputs ``(b, c, h, w)`` and targets ``(b, n, h', w')``, stride 1.
        kernel: height and width; for a linear layer those of its input.
        padding: zeros around the input.

    Raises:
        ValueError: if there is no batch, or a value is NaN or infinite.

    >>> images = torch.tensor([[[[1.0, 2.0]]], [[[3.0, 4.0]]]])
    >>> streamed_moments([(images, 2 * images)], (1, 1))
    Moments(xx=tensor([[30.]], dtype=torch.float64), xy=tensor([[60.]], dtype=torch.float64), yy=120.0, rows=4, kernel_size=1)
    """
    xx, xy = torch.zeros(()), torch.zeros(())
    yy, rows = 0.0, 0
    for inputs, targets in batches:
        unfolded = functional.unfold(inputs, kernel, padding=padding)  # (b, c·k, positions)
        x = unfolded.transpose(0, 1).flatten(1)  # (c·k, rows)
        y = targets.transpose(0, 1).flatten(1)  # (n, rows)
        xx = xx.to(x.device) + (x @ x.T).double()
        xy = xy.to(x.device) + (x @ y.T).double()
        yy += float(y.double().square().sum())
        rows += x.shape[1]
    if not rows:
        raise ValueError("there are no batches; moments need at least one row.")
    if not math.isfinite(yy) or not bool(xx.isfinite().all() & xy.isfinite().all()):
        raise ValueError("inputs or targets contain NaN or infinite values; check the network's weights.")
    return Moments(xx, xy, yy, rows, kernel[0] * kernel[1])


def channel_gram(moments: Moments, weight: Tensor) -> tuple[Tensor, Tensor]:
    """Return ZᵀZ ``(c, c)`` and Zᵀy ``(c,)``; column i of Z is XᵢWᵢᵀ of channel i, flattened like y.

    Entry ij of ZᵀZ is Σ (XᵢᵀXⱼ)⊙(WᵢᵀWⱼ), entry i of Zᵀy is ⟨XᵢᵀY, Wᵢᵀ⟩ (section 3.1 of He et al.).

    Args:
        moments: of the layer.
        weight: ``(n, c, kh, kw)``, or ``(n, c·k)`` for a linear layer.
    """
    flat, k, c = weight.detach().flatten(1), moments.kernel_size, moments.channel_count
    gram = moments.xx.new_zeros(c, c)
    for start in range(0, c, BLOCK):  # the upper triangle, a block of channels at a time
        stop = min(c, start + BLOCK)
        rows, columns = slice(start * k, stop * k), slice(start * k, None)
        products = moments.xx[rows, columns] * (flat[:, rows].T @ flat[:, columns])
        gram[start:stop, start:] = products.view(stop - start, k, c - start, k).sum((1, 3))
    target = (moments.xy * flat.T).view(c, -1).sum(1)
    return gram.triu() + gram.triu(1).T, target


def lasso_path(gram: Tensor, target: Tensor, rows: int) -> LassoPath:
    """Compute the whole LASSO path from ZᵀZ and Zᵀy, exactly, by least-angle regression.

    Channels whose column of Z is zero keep β = 0. Nearly dependent channels may end the path early.

    Args:
        gram: ``(c, c)``.
        target: ``(c,)``.
        rows: number of entries of y; only scales alpha.
    """
    diagonal = gram.diagonal()
    live = (diagonal > PIVOT * diagonal.max()).nonzero().flatten()
    coefficients = np.zeros((len(gram), 1))
    if not len(live) or not bool(target[live].any()):
        return LassoPath(np.zeros(1), coefficients)
    # subtle: the solver stops at an absolute alpha of 1e-7 and treats an absolute pivot of 1e-7 as
    # degenerate; scaling to a mean diagonal of 1 and a largest correlation of 1,000 avoids both.
    scale, height = float(diagonal[live].mean()), float(target[live].abs().max()) / 1_000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # about dependent channels
        alphas, _, live_coefficients = lars_path_gram(
            (target[live] / height).cpu().numpy(),
            (gram[live][:, live] / scale).cpu().numpy(),
            n_samples=1,
            max_iter=20 * len(live),
            method="lasso",
        )
    coefficients = np.zeros((len(gram), len(alphas)))
    coefficients[live.cpu().numpy()] = live_coefficients * height / scale
    return LassoPath(alphas * height / rows, coefficients)


def least_squares(moments: Moments, channels: Tensor) -> Tensor:
    """Return the weight ``(n, len(channels)·k)`` that maps those input channels to Y with least error.

    Solved by Cholesky decomposition. If channels are dependent or dead, the smallest ridge that makes
    the matrix positive definite is added, and a larger one if there are fewer rows than unknowns.

    Args:
        moments: of the layer.
        channels: int64, the input channels that are kept.
    """
    columns = _columns(moments, channels)
    a, b = moments.xx[columns][:, columns], moments.xy[columns]
    diagonal = a.diagonal().clone()
    # subtle: rounded float32 products may look positive definite although they cannot be.
    ridge = 0.0 if moments.rows >= len(columns) else FEW_ROWS_RIDGE
    mean = float(diagonal.mean()) or 1.0
    while True:
        a.diagonal().copy_(diagonal + ridge * mean)
        factor, failed = torch.linalg.cholesky_ex(a)
        if not failed and bool(factor.diagonal().square().min() > PIVOT * a.diagonal().max()):
            return torch.cholesky_solve(b, factor).T
        ridge = max(FIRST_RIDGE, 10 * ridge)


def relative_error(moments: Moments, channels: Tensor, weight: Tensor) -> float:
    """Return ‖Y − X·weightᵀ‖² / ‖Y‖² with the input channels ``channels`` only.

    Args:
        moments: of the layer.
        channels: int64, the input channels that ``weight`` reads.
        weight: ``(n, len(channels)·k)``, or with four dimensions.
    """
    columns = _columns(moments, channels)
    w = weight.detach().flatten(1).double().T  # (columns, n)
    residual = (
        moments.yy - 2 * (moments.xy[columns] * w).sum() + (w * (moments.xx[columns][:, columns] @ w)).sum()
    )
    return float(residual) / moments.yy


def _columns(moments: Moments, channels: Tensor) -> Tensor:
    """Return the columns of X that belong to ``channels``."""
    k = moments.kernel_size
    return (channels[:, None] * k + torch.arange(k, device=channels.device)).flatten()
