"""Selection of the input channels of a layer to keep: by LASSO regression, energy, norm or at random.

Every rule keeps exactly the requested number. :func:`bisect_channels` is the original search of He et
al., which may keep another number; it is here for comparison.
"""

from __future__ import annotations

import operator
import warnings
from typing import Literal, NamedTuple

import numpy as np
import torch
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso
from torch import Tensor

from labkit.pruning.channel_reconstruction import Moments, channel_gram, lasso_path

__all__ = ["SELECTIONS", "Bisection", "Selection", "bisect_channels", "select_channels"]

Selection = Literal["lasso", "energy", "norm", "random"]
SELECTIONS: tuple[Selection, ...] = ("lasso", "energy", "norm", "random")
SAMPLED_ROWS = 400
MOST_SOLVES = 40


class Bisection(NamedTuple):
    """The channels kept, int64 and ascending; how often LASSO was solved; the last alpha."""

    channels: Tensor
    solves: int
    alpha: float


def select_channels(
    moments: Moments, weight: Tensor, count: int, *, selection: Selection = "lasso", seed: int = 0
) -> Tensor:
    """Select the ``count`` input channels of a layer to keep.

    ``lasso``: the first solution on the LASSO path with at least ``count`` channels, without those
    of smallest \\|β\\|; ``energy``: the largest ‖XᵢWᵢ‖; ``norm``: the largest ‖Wᵢ‖, the layer's weights
    on channel i; ``random``: at random.

    Args:
        moments: of the layer.
        weight: ``(n, c, kh, kw)`` or ``(n, c·k)``.
        count: from 1 to c.
        selection: the rule.
        seed: for ``random``.

    Returns:
        int64 ``(count,)``, ascending.

    Raises:
        ValueError: if ``count`` is out of range or the rule is unknown.
    """
    c = moments.channel_count
    if not 1 <= count <= c:
        raise ValueError(f"cannot keep {count} of {c} channels; count must be from 1 to {c}.")
    if selection not in SELECTIONS:
        raise ValueError(f"unknown selection {selection!r}; choose from {', '.join(SELECTIONS)}.")
    if selection == "random":
        return (
            torch.randperm(c, generator=torch.Generator().manual_seed(operator.index(seed)))[:count]
            .sort()
            .values
        )
    if selection == "norm":
        score = weight.detach().reshape(len(weight), c, -1).square().sum((0, 2))
    else:
        gram, target = channel_gram(moments, weight)
        score = gram.diagonal()
        if selection == "lasso":
            score = _lasso_score(gram, target, count, moments.rows)
    return score.cpu().argsort(descending=True, stable=True)[:count].sort().values


def bisect_channels(
    x: Tensor, y: Tensor, weight: Tensor, count: int, *, tolerance: float = 0.1, seed: int = 0
) -> Bisection:
    """Search as the code of He et al. does: LASSO on sampled rows until about ``count`` channels remain.

    Alpha doubles until at most ``count`` channels are left; then the interval is halved until their number
    is in ``[count, (1 + tolerance)·count]``, or for 40 solves if the number jumps over that interval. The
    LASSO has an intercept. The paper itself leaves open how alpha is found.

    Args:
        x: unfolded inputs ``(rows, c·k)``, of which at most 400 rows are drawn.
        y: targets ``(rows, n)``.
        weight: ``(n, c, kh, kw)`` or ``(n, c·k)``.
        count: number of channels to keep.
        tolerance: how many more are accepted, as a share of ``count``.
        seed: decides which rows are drawn.
    """
    c = weight.shape[1] if weight.ndim == 4 else x.shape[1]
    rows = torch.randperm(len(x), generator=torch.Generator().manual_seed(operator.index(seed)))[
        :SAMPLED_ROWS
    ]
    by_channel = weight.detach().reshape(len(weight), c, -1)
    z = torch.einsum("rck,nck->rnc", x[rows].view(len(rows), c, -1), by_channel).flatten(0, 1)
    solver = Lasso(precompute=True, warm_start=True, selection="random", random_state=seed)
    design, target = np.asfortranarray(z.double().numpy()), y[rows].flatten().double().numpy()
    low, high = 0.0, 1e-4

    def channels_at(alpha: float) -> Tensor:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            solver.set_params(alpha=alpha).fit(design, target)
        return torch.from_numpy(solver.coef_).nonzero().flatten()

    alpha, channels = high, channels_at(high)
    solves = 1
    while len(channels) > count and solves < MOST_SOLVES:
        low, alpha, solves = alpha, 2 * alpha, solves + 1
        channels = channels_at(alpha)
    high = alpha
    while not count <= len(channels) <= (1 + tolerance) * count and solves < MOST_SOLVES:
        alpha, solves = (low + high) / 2, solves + 1
        channels = channels_at(alpha)
        low, high = (alpha, high) if len(channels) > count else (low, alpha)
    return Bisection(channels, solves, alpha)


def _lasso_score(gram: Tensor, target: Tensor, count: int, rows: int) -> Tensor:
    """Return |β| of the first solution with at least ``count`` channels; energy ranks those with β = 0."""
    path = lasso_path(gram, target, rows).coefficients
    enough = (path != 0).sum(0) >= count
    beta = torch.from_numpy(abs(path[:, enough.argmax() if enough.any() else -1])).to(gram.device)
    energy = gram.diagonal()
    # subtle: channels that are missing because the path ended early rank after all that are on it.
    return torch.where(beta > 0, 1 + beta / beta.max(), energy / (1 + energy.max()))
