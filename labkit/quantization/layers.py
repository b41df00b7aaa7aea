"""Layers that compute with quantized weights and train the real ones behind them.

A quantized layer keeps its float weight as parameter, under the same state-dict key, and rounds it
in every forward pass; gradients pass straight through. A weight that a mask holds at 0 stays 0.
Activations stay in floating point, and so does the arithmetic.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from labkit.models.weights import (
    Layer,
    named_layers,
    require_no_hooks,
    require_own_weight,
    require_type,
)
from labkit.quantization.affine import (
    AffineGrid,
    Scheme,
    fit_grid,
    straight_through,
)

__all__ = [
    "QuantizedConv1d",
    "QuantizedConv2d",
    "QuantizedConv3d",
    "QuantizedLayer",
    "QuantizedLinear",
    "quantize_layers",
    "quantize_residual_blocks",
    "quantized_layers",
    "quantized_weights",
]

RESIDUAL_STAGES = ("layer1", "layer2", "layer3")


class QuantizedLayer(nn.Module):
    """The common part of quantized layers, which rounds the float ``weight``."""

    weight: Tensor
    bits: int
    scheme: Scheme
    per_channel: bool

    def _take_over(self, layer: Layer, bits: int, scheme: Scheme, per_channel: bool) -> None:
        """Adopt parameters and mode of ``layer``, and refuse bad bits, schemes and weights."""
        self.register_parameter("weight", layer.weight)  # type: ignore[arg-type]
        self.register_parameter("bias", layer.bias)  # type: ignore[arg-type]
        self.bits, self.scheme, self.per_channel = bits, scheme, per_channel
        self.bits = self.grid().bits
        self.train(layer.training)

    def quantized_weight(self) -> Tensor:
        """The weight that the forward pass uses; differentiable, straight through."""
        return straight_through(
            self.weight, bits=self.bits, scheme=self.scheme, per_channel=self.per_channel
        )

    def grid(self) -> AffineGrid:
        """The grid that fits the weight as it is now."""
        return fit_grid(self.weight, bits=self.bits, scheme=self.scheme, per_channel=self.per_channel)

    def extra_repr(self) -> str:
        """The float layer's description and the grid's."""
        return f"{super().extra_repr()}, bits={self.bits}, {self.scheme}, per_channel={self.per_channel}"


class _QuantizedConv(QuantizedLayer):
    """The common part of quantized convolutions; each inherits from its float class as well."""

    def __init__(
        self,
        layer: nn.Conv1d | nn.Conv2d | nn.Conv3d,
        *,
        bits: int,
        scheme: Scheme = "asymmetric",
        per_channel: bool = False,
    ) -> None:
        super().__init__(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,
            layer.stride,
            layer.padding,
            layer.dilation,
            layer.groups,
            padding_mode=layer.padding_mode,
            device="meta",  # its own weights are never made
        )
        self._take_over(layer, bits, scheme, per_channel)

    def forward(self, x: Tensor) -> Tensor:
        """``(n, channels_in, …)`` to ``(n, channels_out, …)``."""
        return self._conv_forward(x, self.quantized_weight(), self.bias)  # type: ignore[operator]


class QuantizedConv1d(_QuantizedConv, nn.Conv1d):
    """:class:`QuantizedConv2d` in one dimension."""


class QuantizedConv2d(_QuantizedConv, nn.Conv2d):
    """A convolution with ``bits``-bit weights that takes over the parameters of ``layer``.

    Arguments and errors are those of :func:`labkit.quantization.affine.fit_grid`.

    >>> layer = QuantizedConv2d(nn.Conv2d(3, 8, 3), bits=2, scheme="symmetric")
    >>> layer.quantized_weight().unique().numel()
    3
    """


class QuantizedConv3d(_QuantizedConv, nn.Conv3d):
    """:class:`QuantizedConv2d` in three dimensions."""


class QuantizedLinear(QuantizedLayer, nn.Linear):
    """A linear layer with ``bits``-bit weights and a float bias that takes over those of ``layer``.

    Arguments and errors are those of :func:`labkit.quantization.affine.fit_grid`.
    """

    def __init__(
        self, layer: nn.Linear, *, bits: int, scheme: Scheme = "asymmetric", per_channel: bool = False
    ) -> None:
        super().__init__(layer.in_features, layer.out_features, device="meta")
        self._take_over(layer, bits, scheme, per_channel)

    def forward(self, x: Tensor) -> Tensor:
        """``(…, features_in)`` to ``(…, features_out)``."""
        return functional.linear(x, self.quantized_weight(), self.bias)


QUANTIZED: dict[type[nn.Module], Any] = {
    nn.Conv1d: QuantizedConv1d,
    nn.Conv2d: QuantizedConv2d,
    nn.Conv3d: QuantizedConv3d,
    nn.Linear: QuantizedLinear,
}
QUANTIZED |= {quantized: quantized for quantized in QUANTIZED.values()}


def quantize_layers(
    model: nn.Module,
    names: Iterable[str] | None = None,
    *,
    bits: int,
    scheme: Scheme = "asymmetric",
    per_channel: bool = False,
) -> nn.Module:
    """A copy of ``model`` in which convolutions and linear layers compute with quantized weights.

    State-dict keys stay the same, so a float checkpoint loads. Layers that are quantized already
    get the new grid on their float weights. A layer under several names stays one layer, and a weight that
    several layers share stays one parameter.

    Args:
        model: left as it is.
        names: which layers, as in ``model.named_modules()``; all if None.
        bits, scheme, per_channel: as in :func:`labkit.quantization.affine.fit_grid`.

    Raises:
        ValueError: if a name is not that of a convolution or linear layer, if a layer is a transposed
            convolution or a subclass, has hooks or computes its weight from other tensors, or if the grid
            cannot be fitted.

    >>> quantize_layers(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), bits=8)
    Sequential(
      (0): QuantizedLinear(in_features=4, out_features=3, bias=True, bits=8, asymmetric, per_channel=False)
      (1): ReLU()
    )
    """
    layers = named_layers(model, every_name=True)
    chosen: dict[Layer, str] = {}
    for name in layers if names is None else names:
        if name not in layers:
            raise ValueError(
                f"{name!r} is not a convolution or linear layer; there are {', '.join(layers)}."
            )
        chosen.setdefault(layers[name], name)
    # subtle: what deepcopy finds in its memo it takes as the copy, wherever the model holds the layer.
    memo: dict[int, Any] = {}
    for layer, name in chosen.items():
        require_own_weight(name, layer)
        require_no_hooks(name, layer)
        require_type(name, layer, QUANTIZED)
        copied = copy.deepcopy(layer, memo)
        memo[id(layer)] = QUANTIZED[type(layer)](copied, bits=bits, scheme=scheme, per_channel=per_channel)
    return copy.deepcopy(model, memo)


def quantize_residual_blocks(
    model: nn.Module, *, bits: int, scheme: Scheme = "asymmetric", per_channel: bool = False
) -> nn.Module:
    """A copy of a ResNet whose residual blocks convolve with quantized weights.

    The first convolution and the classifier stay in float; they hold 0.4 % of ResNet-20's weights.

    Args:
        model: has its residual blocks in ``layer1``, ``layer2`` and ``layer3``, as ``ResNet20``.
        bits, scheme, per_channel: as in :func:`labkit.quantization.affine.fit_grid`.

    Raises:
        ValueError: if ``model`` has no such blocks, or the grid cannot be fitted.
    """
    names = [
        name
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Conv2d) and name.split(".")[0] in RESIDUAL_STAGES
    ]
    if not names:
        raise ValueError(
            f"{type(model).__name__} has no convolutions in {', '.join(RESIDUAL_STAGES)}; "
            "use quantize_layers and name the layers."
        )
    return quantize_layers(model, names, bits=bits, scheme=scheme, per_channel=per_channel)


def quantized_layers(model: nn.Module) -> dict[str, QuantizedLayer]:
    """The quantized layers of ``model`` by name, in its order."""
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, QuantizedLayer)}


def quantized_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights ``model`` computes with, rounded where its layers are quantized, under each of their names.

    ``{**model.state_dict(), **quantized_weights(model)}`` is the state of the float network that
    gives the same outputs.
    """
    weights = {}
    for name, layer in named_layers(model, every_name=True).items():
        weight = layer.quantized_weight() if isinstance(layer, QuantizedLayer) else layer.weight
        weights[f"{name}.weight".removeprefix(".")] = weight.detach()
    return weights
