"""Oracle of lab 08's checks: a tiny network in float64, its loss as a function, its full Hessian."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

__all__ = [
    "as_layers",
    "full_hessian_product",
    "join",
    "loss_of_weights",
    "tiny_batches",
    "tiny_network",
    "weights_of",
]

Batches = Sequence[tuple[Tensor, Tensor]]


def tiny_network(activation: nn.Module) -> nn.Sequential:
    """Build a network of 60 weights, and biases, in float64; the same each time."""
    layers = nn.Sequential(nn.Conv2d(2, 3, 2), activation, nn.Flatten(), nn.Linear(12, 3)).double()
    generator = torch.Generator().manual_seed(8)
    for parameter in layers.parameters():
        parameter.data = 0.5 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    return layers


def tiny_batches(sizes: Sequence[int], seed: int = 80) -> Batches:
    """Draw images for :func:`tiny_network` with labels 0 to 2."""
    generator = torch.Generator().manual_seed(seed)
    return [
        (
            torch.randn(size, 2, 3, 3, generator=generator, dtype=torch.float64),
            torch.randint(3, (size,), generator=generator),
        )
        for size in sizes
    ]


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights by name, without biases."""
    return {name: part.detach() for name, part in model.named_parameters() if part.ndim > 1}


def join(tensors: Mapping[str, Tensor]) -> Tensor:
    """Join all entries into one vector."""
    return torch.cat([tensor.flatten() for tensor in tensors.values()])


def as_layers(like: Mapping[str, Tensor], vector: Tensor) -> dict[str, Tensor]:
    """Split ``vector`` into tensors with the names and shapes of ``like``."""
    parts = vector.split([tensor.numel() for tensor in like.values()])
    return {name: part.view(like[name].shape) for name, part in zip(like, parts, strict=True)}


def loss_of_weights(model: nn.Module, batches: Batches, temperature: float) -> Callable[[Tensor], Tensor]:
    """Return the loss, a sum over images, as a function of all weights in one vector."""
    weights = weights_of(model)

    def loss(vector: Tensor) -> Tensor:
        parts = as_layers(weights, vector)
        rows = [
            (functional_call(model, parts, (images,)) / temperature, labels) for images, labels in batches
        ]
        return torch.stack([functional.cross_entropy(*row, reduction="sum") for row in rows]).sum()

    return loss


def full_hessian_product(model: nn.Module, batches: Batches, temperature: float) -> dict[str, Tensor]:
    """Compute every entry of the Hessian H, then H times the gradient."""
    loss, weights = loss_of_weights(model, batches, temperature), weights_of(model)
    gradient = torch.autograd.functional.jacobian(loss, join(weights))
    return as_layers(weights, torch.autograd.functional.hessian(loss, join(weights)) @ gradient)
