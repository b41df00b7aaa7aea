"""VGG16 with batch normalization for 32×32 images (Simonyan & Zisserman 2015, configuration D).

Thirteen 3×3 convolutions in five blocks, a 2×2 max pooling after each block, then three linear
layers (512, 512, number of classes). Its state dict has the keys of chenyaofo's ``cifar10_vgg16_bn`` and
``cifar100_vgg16_bn``; :func:`vgg16_from_state` reads those, and networks with pruned channels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from labkit.environment import keep_random_state
from labkit.models.foreign_state import plain_state

__all__ = ["VGG16", "VGG16_CHANNELS", "vgg16_from_state"]

VGG16_CHANNELS = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)
BLOCK_ENDS = (1, 3, 6, 9, 12)  # a pooling follows these convolutions
HIDDEN = 512


class VGG16(nn.Module):
    """``features`` (convolution, batch norm, ReLU, pooling) and ``classifier`` (linear, ReLU, dropout).

    Args:
        class_count: number of logits.
        channels: output channels of the thirteen convolutions; fewer after channel pruning.

    Raises:
        ValueError: if ``channels`` are not thirteen positive numbers.

    >>> sum(parameter.numel() for parameter in VGG16(10).parameters())
    15253578
    """

    def __init__(self, class_count: int = 10, *, channels: Sequence[int] = VGG16_CHANNELS) -> None:
        super().__init__()
        if len(channels) != len(VGG16_CHANNELS) or min(channels) < 1:
            raise ValueError(f"VGG16 has 13 convolutions of at least 1 channel, got {list(channels)}.")
        layers: list[nn.Module] = []
        for index, (inputs, outputs) in enumerate(zip((3, *channels), channels, strict=False)):
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
            if index in BLOCK_ENDS:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Linear(channels[-1], HIDDEN),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Dropout(),
            nn.Linear(HIDDEN, class_count),
        )
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(n, 3, 32, 32)`` to logits ``(n, class_count)``."""
        return self.classifier(self.features(x).flatten(1))


@keep_random_state()  # the random weights are replaced
def vgg16_from_state(state: Mapping[str, Any]) -> VGG16:
    """Build the VGG16 that a state dict describes; classes and channels follow from the shapes.

    A checkpoint that holds the state dict is read as well.

    Raises:
        ValueError: if keys or shapes are not those of a VGG16 with batch normalization.
    """
    state = plain_state(state)
    with torch.device("meta"):  # shapes and names only
        names = [name for name, module in VGG16(1).named_modules() if isinstance(module, nn.Conv2d)]
    missing = [f"{name}.weight" for name in (*names, "classifier.6") if f"{name}.weight" not in state]
    if missing:
        raise ValueError(f"not a VGG16-BN state dict: it has no {', '.join(missing)}.")
    channels = [len(state[f"{name}.weight"]) for name in names]
    model = VGG16(len(state["classifier.6.weight"]), channels=channels)
    try:
        model.load_state_dict({key: torch.as_tensor(value) for key, value in state.items()})
    except RuntimeError as error:
        raise ValueError(f"not a VGG16-BN state dict: {error}") from error
    return model
