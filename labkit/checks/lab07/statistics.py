"""Visible check 07.8: statistics of batch norm that are estimated again.

The oracles are the mean and the variance of each batch in NumPy, averaged over the batches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from labkit.checks.expect import Expect

__all__ = ["reestimated"]

Answer = Callable[..., Any]

MEAN = "the running mean is the plain average of the means of the batches, one number per channel"
VARIANCE = "the running variance is the plain average of the variances of the batches"
OLD = "forget the old statistics first: reset_running_stats()"
MOMENTUM = "with momentum = None PyTorch takes the plain average; afterwards put the old value back"
MODES = "only the norms go into training mode, and at the end everything is in evaluation mode again"
DROPOUT = "dropout must stay off: put only the batch norms into training mode"
UNTOUCHED = "no weight may change: this is not training"
GRADIENTS = "nothing is trained, so run the network inside torch.no_grad()"


def reestimated(expect: Expect, answer: Answer) -> None:
    """07.8: statistics, modes, momenta and weights after the estimation."""
    generator = torch.Generator().manual_seed(8)
    for sizes, scale in (((4, 4), 1.0), ((4, 4), 2.0), ((6,), 3.0), ((2, 5, 3), 0.5)):
        batches = [
            scale * torch.randn(size, 2, 3, 3, generator=generator) + 2 * place
            for place, size in enumerate(sizes)
        ]
        outer, convolution, inner = _norm(2, 0.1), nn.Conv2d(2, 3, 1), _norm(3, 0.3)
        model = nn.Sequential(outer, nn.Dropout(0.5), convolution, inner).eval()
        weight = convolution.weight.detach().clone()
        case = expect.given(
            f"a norm, dropout, a convolution and a norm; batches of {', '.join(map(str, sizes))} images"
        )
        _call(case, answer, model, batches)
        _compare(case, outer, batches, hint=OLD)
        _compare(case, inner, [_convolved(convolution, batch) for batch in batches], hint=DROPOUT)
        modes = [module.training for module in model.modules()]
        case.true(not any(modes), expected="evaluation mode", got=modes, hint=MODES)
        case.equal([outer.momentum, inner.momentum], [0.1, 0.3], hint=MOMENTUM)
        case.equal(convolution.weight, weight, hint=UNTOUCHED)
    nested = _norm(1, 0.2)
    model = nn.Sequential(nn.Sequential(nested))
    batch = torch.arange(8.0).view(2, 1, 2, 2)
    case = expect.given("a norm inside another module, one batch with the values 0 to 7")
    _call(case, answer, model.eval(), [batch])
    _compare(case, nested, [batch], hint="find the norms wherever they are: model.modules()")
    watched = _Watched().eval()
    case = expect.given("a model that notes whether gradients are on")
    _call(case, answer, watched, [batch])
    case.true(not watched.gradients, expected="gradients off", got="gradients on", hint=GRADIENTS)


class _Watched(nn.Module):
    """Notes whether gradients are recorded while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.norm, self.gradients = nn.BatchNorm2d(1), False

    def forward(self, x: Tensor) -> Tensor:
        self.gradients = self.gradients or torch.is_grad_enabled()
        normalized: Tensor = self.norm(x)
        return normalized


def _call(case: Any, answer: Answer, model: nn.Module, batches: list[Tensor]) -> None:
    """Call an answer that returns nothing."""
    case.call(lambda: (answer(model, batches), True)[1], hint=MEAN)


def _norm(channels: int, momentum: float) -> nn.BatchNorm2d:
    """A batch norm whose statistics are those of something else."""
    norm = nn.BatchNorm2d(channels, momentum=momentum)
    nn.init.constant_(norm.running_mean, 40.0)  # type: ignore[arg-type]
    nn.init.constant_(norm.running_var, 9.0)  # type: ignore[arg-type]
    return norm


def _convolved(layer: nn.Conv2d, batch: Tensor) -> Tensor:
    """What the second norm sees: the batch, normalized by its own statistics, then convolved."""
    x = batch.double()
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = x.var((0, 2, 3), keepdim=True, correction=0)
    normalized = (x - mean) / (variance + 1e-5).sqrt()
    weight = layer.weight.detach().double()[:, :, 0, 0]
    products = torch.einsum("oi,nihw->nohw", weight, normalized)
    return products if layer.bias is None else products + layer.bias.detach().double().view(-1, 1, 1)


def _compare(case: Any, norm: nn.BatchNorm2d, batches: list[Tensor], *, hint: str) -> None:
    """Compare the statistics of a norm with those of the batches that reach it."""
    means, variances = [], []
    for batch in batches:
        values = np.moveaxis(batch.double().numpy(), 1, 0).reshape(batch.shape[1], -1)
        means.append(values.mean(axis=1))
        variances.append(values.var(axis=1, ddof=1))
    case.close(norm.running_mean, np.mean(means, axis=0), hint=f"{MEAN}; {hint}", atol=1e-4, rtol=1e-4)
    case.close(
        norm.running_var, np.mean(variances, axis=0), hint=f"{VARIANCE}; {hint}", atol=1e-4, rtol=1e-4
    )
