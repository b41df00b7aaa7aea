"""Visible checks of lab 09: one layer (``layers``) and a whole network (``network``)."""

from __future__ import annotations

from collections.abc import Callable

from labkit.checks.lab09 import layers, network

__all__ = ["CASES", "HINTS"]

CASES: dict[str, Callable[..., None]] = {
    "09.1": layers.unfold_inputs,
    "09.2": layers.channel_outputs,
    "09.3": layers.choose_channels,
    "09.4": layers.fit_weight,
    "09.5": layers.cut_channels,
    "09.6": network.cut_layer_by_layer,
    "09.7": network.choose_counts,
}

HINTS = {
    "09.6": "keep three tensors from turn to turn: the maps of the original network, the maps of the network "
    "cut so far, and the target. In each turn: advance both maps by one block, compute the target with the "
    "original's next convolution, choose, cut, index the maps of the cut network by the kept channels, refit",
    "09.7": "start with all channels. While the network is over the budget, take one step down in the layer in "
    "which it costs least: error added, divided by multiply-accumulates saved",
}
