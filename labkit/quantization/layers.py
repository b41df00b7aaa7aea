"""Layers that compute with quantized weights and train the real ones behind them.

A quantized layer keeps its float weight as parameter, under the same state-dict key, and rounds it
in every forward pass; gradients pass straight through. A weight that a mask holds at 0 stays 0.
Activations stay in floating point, and so does the arithmetic.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

from torch import Tensor, nn
from torch.nn import functional

from labkit.models import prunable_weights
from labkit.quantization.affine import (
    AffineGrid,
    Scheme,
    fit_grid,
    straight_through,
)

__all__ = [
    "QuantizedConv2d",
    "QuantizedLinear",
    "quantize_layers",
    "quantize_residual_blocks",
    "quantized_layers",
    "quantized_weights",
]

RESIDUAL_STAGES = ("layer1", "layer2", "layer3")


class _QuantizedLayer(nn.Module):
    """The common part of quantized layers, which rounds the float ``weight``."""

    weight: Tensor
    bits: int
    scheme: Scheme
    per_channel: bool

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


class QuantizedConv2d(_QuantizedLayer, nn.Conv2d):
    """A convolution with ``bits``-bit weights that takes over the parameters of ``layer``.

    Arguments and errors are those of :func:`labkit.quantization.affine.fit_grid`.

    >>> layer = QuantizedConv2d(nn.Conv2d(3, 8, 3), bits=2, scheme="symmetric")
    >>> layer.quantized_weight().unique().numel()
    3
    """

    def __init__(
        self, layer: nn.Conv2d, *, bits: int, scheme: Scheme = "asymmetric", per_channel: bool = False
    ) -> None:
        super().__init__(
            layer.in_channels,
            layer.out_channels,
            layer.kernel_size,  # type: ignore[arg-type]
            layer.stride,  # type: ignore[arg-type]
            layer.padding,  # type: ignore[arg-type]
            layer.dilation,  # type: ignore[arg-type]
            layer.groups,
            padding_mode=layer.padding_mode,
            device="meta",  # its own weights are never made
        )
        self.weight, self.bias = layer.weight, layer.bias
        self.bits, self.scheme, self.per_channel = bits, scheme, per_channel
        self.grid()  # refuses bad bits, schemes and weights here, not in the first forward pass

    def forward(self, x: Tensor) -> Tensor:
        """``(n, channels_in, h, w)`` to ``(n, channels_out, h', w')``."""
        return self._conv_forward(x, self.quantized_weight(), self.bias)


class QuantizedLinear(_QuantizedLayer, nn.Linear):
    """A linear layer with ``bits``-bit weights and a float bias that takes over those of ``layer``.

    Arguments and errors are those of :func:`labkit.quantization.affine.fit_grid`.
    """

    def __init__(
        self, layer: nn.Linear, *, bits: int, scheme: Scheme = "asymmetric", per_channel: bool = False
    ) -> None:
        super().__init__(layer.in_features, layer.out_features, device="meta")
        self.weight, self.bias = layer.weight, layer.bias
        self.bits, self.scheme, self.per_channel = bits, scheme, per_channel
        self.grid()

    def forward(self, x: Tensor) -> Tensor:
        """``(…, features_in)`` to ``(…, features_out)``."""
        return functional.linear(x, self.quantized_weight(), self.bias)


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
    get the new grid on their float weights.

    Args:
        model: left as it is.
        names: which layers, as in ``model.named_modules()``; all if None.
        bits, scheme, per_channel: as in :func:`labkit.quantization.affine.fit_grid`.

    Raises:
        ValueError: if a name is not that of a convolution or linear layer, or the grid cannot be fitted.

    >>> quantize_layers(nn.Sequential(nn.Linear(4, 3), nn.ReLU()), bits=8)
    Sequential(
      (0): QuantizedLinear(in_features=4, out_features=3, bias=True, bits=8, asymmetric, per_channel=False)
      (1): ReLU()
    )
    """
    model = copy.deepcopy(model)
    layers = {
        name: layer for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d | nn.Linear)
    }
    for name in layers if names is None else names:
        if name not in layers:
            raise ValueError(
                f"{name!r} is not a convolution or linear layer; there are {', '.join(layers)}."
            )
        quantized = _quantized_layer(layers[name], bits, scheme, per_channel)
        if not name:
            return quantized
        model.set_submodule(name, quantized)
    return model


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


def quantized_layers(model: nn.Module) -> dict[str, QuantizedConv2d | QuantizedLinear]:
    """The quantized layers of ``model`` by name, in its order."""
    return {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, QuantizedConv2d | QuantizedLinear)
    }


def quantized_weights(model: nn.Module) -> dict[str, Tensor]:
    """The weights ``model`` computes with, rounded where its layers are quantized, by name.

    ``{**model.state_dict(), **quantized_weights(model)}`` is the state of the float network that
    gives the same outputs.
    """
    weights = {name: weight.detach() for name, weight in prunable_weights(model).items()}
    for name, layer in quantized_layers(model).items():
        weights[f"{name}.weight".removeprefix(".")] = layer.quantized_weight().detach()
    return weights


def _quantized_layer(
    layer: nn.Conv2d | nn.Linear, bits: int, scheme: Scheme, per_channel: bool
) -> QuantizedConv2d | QuantizedLinear:
    """The quantized layer that stands in for ``layer``, in the same mode."""
    if isinstance(layer, nn.Conv2d):
        conv = QuantizedConv2d(layer, bits=bits, scheme=scheme, per_channel=per_channel)
        return conv.train(layer.training)
    return QuantizedLinear(layer, bits=bits, scheme=scheme, per_channel=per_channel).train(layer.training)
