"""Batch normalization in a state dict ↔ one scale and one shift per channel.

In evaluation mode a batch normalization computes scale · x + shift, with
scale = weight / √(running_var + ε) and shift = bias − running_mean · scale. A layer is folded if it has
all five tensors of :class:`torch.nn.BatchNorm2d` with its defaults; of any other, such as one without
affine parameters or a frozen one, nothing is folded.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from labkit.coding import FormatError

__all__ = ["EPSILON", "FOLDED", "fold", "is_kept_exactly", "unfold"]

EPSILON = 1e-5  # torch.nn.BatchNorm2d's default, which every model here uses
SCALE, SHIFT, EPSILON_SUFFIX = FOLDED = (".folded_scale", ".folded_shift", ".folded_epsilon")
STATISTICS = ("running_mean", "running_var")
PER_CHANNEL = ("weight", "bias", *STATISTICS)
BATCH_COUNT = "num_batches_tracked"


def fold(state: Mapping[str, Tensor], epsilon: float | Mapping[str, float]) -> dict[str, Tensor]:
    """Put a scale and a shift in the place of each batch normalization, and ε if it is not 1e-5.

    Args:
        state: tensors by name.
        epsilon: of all layers, or by the layer's name.

    Raises:
        ValueError: if a layer has no ε, or one that is not in [0, 1), or with which the scale is infinite.
    """
    layers = {name.removesuffix(".weight") for name in state if name.endswith(".weight")}
    layers = {layer for layer in layers if _is_foldable(state, layer)}
    folded: dict[str, Tensor] = {}
    for name, tensor in state.items():
        layer, _, part = name.rpartition(".")
        if layer not in layers or part not in (*PER_CHANNEL, BATCH_COUNT):
            folded[name] = tensor
        elif part == "weight":
            folded |= _fold_layer(state, layer, _epsilon_of(layer, epsilon))
    return folded


def unfold(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give each folded batch normalization its five tensors back, with mean 0 and variance 1 − ε.

    Raises:
        FormatError: if a scale or a shift is missing or has another shape or type than it should, or a
            layer is also stored tensor by tensor.
    """
    state: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        suffix = next((suffix for suffix in FOLDED if name.endswith(suffix)), None)
        if suffix is None:
            state[name] = tensor
            continue
        layer = name.removesuffix(suffix)
        scale, shift = tensors.get(layer + SCALE), tensors.get(layer + SHIFT)
        if scale is None or shift is None or scale.shape != shift.shape:
            raise FormatError(f"{layer!r} needs a folded scale and a folded shift of one shape.")
        if not scale.dtype == shift.dtype == torch.float32:
            raise FormatError(
                f"{layer!r} has a folded scale or shift of type {scale.dtype}, {shift.dtype}."
            )
        epsilon = tensors.get(layer + EPSILON_SUFFIX, torch.tensor(EPSILON, dtype=torch.float64))
        if epsilon.shape != () or epsilon.dtype != torch.float64 or not 0 <= epsilon.item() < 1:
            raise FormatError(f"{layer!r} has a folded epsilon that is not a float64 number in [0, 1).")
        unfolded = {
            f"{layer}.weight": scale,
            f"{layer}.bias": shift,
            f"{layer}.running_mean": torch.zeros_like(scale),
            f"{layer}.running_var": torch.full_like(scale, 1 - epsilon.item()),
            f"{layer}.{BATCH_COUNT}": torch.zeros((), dtype=torch.int64),
        }
        if not tensors.keys().isdisjoint(unfolded):
            raise FormatError(f"{layer!r} is stored folded and also tensor by tensor.")
        state |= unfolded
    return state


def is_kept_exactly(name: str) -> bool:
    """Tell whether a tensor of a folded state is not to be rounded: an ε, or statistics left unfolded.

    Rounded to half precision, a variance below 6e-8 would be 0 and one above 65504 infinite.

    >>> is_kept_exactly("bn1.running_var"), is_kept_exactly("bn1.folded_scale")
    (True, False)
    """
    return name.endswith(EPSILON_SUFFIX) or name.rpartition(".")[2] in STATISTICS


def _is_foldable(state: Mapping[str, Tensor], layer: str) -> bool:
    """Whether a layer has the five tensors of a batch normalization, four of them one per channel."""
    if any(f"{layer}.{part}" not in state for part in (*PER_CHANNEL, BATCH_COUNT)):
        return False
    tensors = [state[f"{layer}.{part}"] for part in PER_CHANNEL]
    return all(
        tensor.ndim == 1 and tensor.shape == tensors[0].shape and tensor.is_floating_point()
        for tensor in tensors
    )


def _epsilon_of(layer: str, epsilon: float | Mapping[str, float]) -> float:
    """The ε of one layer."""
    if isinstance(epsilon, Mapping):
        if layer not in epsilon:
            raise ValueError(f"the batch normalization {layer!r} has no epsilon among those given.")
        epsilon = epsilon[layer]
    if not 0 <= epsilon < 1:
        raise ValueError(f"the epsilon of a batch normalization must be in [0, 1), got {epsilon}.")
    return epsilon


def _fold_layer(state: Mapping[str, Tensor], layer: str, epsilon: float) -> dict[str, Tensor]:
    """The tensors that are stored for one batch normalization."""
    parts = [state[f"{layer}.{part}"].double() for part in PER_CHANNEL]
    weight, bias, mean, variance = parts
    scale = weight / (variance + epsilon).sqrt()
    folded = {layer + SCALE: scale.float(), layer + SHIFT: (bias - mean * scale).float()}
    was_finite = all(bool(part.isfinite().all()) for part in parts)
    if was_finite and not all(bool(part.isfinite().all()) for part in folded.values()):
        raise ValueError(
            f"'{layer}.running_var' begins at {variance.min():.3g}, where an epsilon of {epsilon:g} gives "
            "no finite scale: compress without --compact."
        )
    if epsilon != EPSILON:
        folded[layer + EPSILON_SUFFIX] = torch.tensor(epsilon, dtype=torch.float64)
    return folded
