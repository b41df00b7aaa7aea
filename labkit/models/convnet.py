"""A small convolutional network with batch normalization for 32×32 images, quick to train from random weights.

Five blocks of a 3×3 convolution without bias, batch normalization and ReLU; then the mean over all
pixels and a linear head.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from labkit.environment import keep_random_state

__all__ = ["CONVNET_CHANNELS", "ConvNet", "slice_convnet"]

CONVNET_CHANNELS = (16, 32, 64, 128, 128)
POOLED_BLOCKS = (1, 2)  # a pooling follows these; the first block has stride 2 instead


class ConvNet(nn.Module):
    """``features`` (convolution, batch norm, ReLU, pooling) and ``head`` (linear).

    The convolutions compute 16×16, 16×16, 8×8, 4×4 and 4×4 pixels.

    Args:
        class_count: number of logits.
        channels: output channels of the five convolutions.

    Raises:
        ValueError: if ``channels`` are not five positive numbers.

    >>> sum(parameter.numel() for parameter in ConvNet(10).parameters())
    246682
    """

    def __init__(self, class_count: int = 10, *, channels: Sequence[int] = CONVNET_CHANNELS) -> None:
        super().__init__()
        if len(channels) != len(CONVNET_CHANNELS) or min(channels) < 1:
            raise ValueError(f"a ConvNet has 5 convolutions of at least 1 channel, got {list(channels)}.")
        layers: list[nn.Module] = []
        for index, (inputs, outputs) in enumerate(zip((3, *channels), channels, strict=False)):
            stride = 2 if index == 0 else 1
            layers += [
                nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
                nn.BatchNorm2d(outputs),
                nn.ReLU(),
            ]
            if index in POOLED_BLOCKS:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(channels[-1], class_count)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(module.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Map images ``(n, 3, 32, 32)`` to logits ``(n, class_count)``."""
        logits: Tensor = self.head(self.features(x).mean(dim=(2, 3)))
        return logits


@keep_random_state()  # the random weights are replaced
def slice_convnet(model: ConvNet, kept: Sequence[Tensor]) -> ConvNet:
    """Return a smaller network that holds only some filters of every convolution.

    With a filter go its batch normalization and the weights that read its channel. Nothing makes up for
    what the channel gave to the next layer.

    Args:
        model: left as it is.
        kept: for each of the five convolutions the indices of the filters that stay, int64.

    Raises:
        ValueError: if there are not five selections, or one is empty.

    >>> import torch
    >>> slice_convnet(ConvNet(), [torch.arange(8)] * 5).head.in_features
    8
    """
    if len(kept) != len(CONVNET_CHANNELS) or min(map(len, kept)) < 1:
        raise ValueError(f"kept needs at least one filter of each of 5 convolutions, got {list(kept)}.")
    small = ConvNet(model.head.out_features, channels=[len(rows) for rows in kept])
    small.to(next(model.parameters())).train(model.training)
    inputs, layer = torch.arange(3), -1
    with torch.no_grad():
        for source, target in zip(model.features, small.features, strict=True):
            if isinstance(source, nn.Conv2d) and isinstance(target, nn.Conv2d):
                layer += 1
                target.weight.copy_(source.weight[kept[layer]][:, inputs])
                inputs = kept[layer]
            elif isinstance(source, nn.BatchNorm2d):
                for name, tensor in target.state_dict().items():
                    full = source.state_dict()[name]
                    tensor.copy_(full[inputs] if full.ndim else full)
        small.head.weight.copy_(model.head.weight[:, inputs])
        small.head.bias.copy_(model.head.bias)
    return small
