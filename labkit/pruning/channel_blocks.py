"""A VGG16 as a chain of blocks, so that channels can be cut between one block and the next.

A block is a convolution with what follows it, up to the next convolution: batch norm, ReLU, and
sometimes pooling. The last block is the first linear layer, as a convolution of kernel 1.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from labkit.environment import keep_random_state
from labkit.models import VGG16
from labkit.models.vgg import vgg16_from_state

__all__ = ["forward_in_batches", "join_blocks", "split_blocks"]

BATCH = 128


@keep_random_state()  # the random weights of the new layer are replaced
def split_blocks(model: VGG16) -> list[nn.Sequential]:
    """Return copies of the 13 blocks of ``model`` and of its first linear layer, in evaluation mode.

    The linear layer becomes a convolution ``(out, in, 1, 1)``, which gives the same numbers on feature
    maps of one position. Chained, the blocks map images ``(n, 3, 32, 32)`` to ``(n, 512, 1, 1)``.

    Args:
        model: left as it is; it may have any number of channels.

    Raises:
        TypeError: if it is not a VGG16.

    >>> blocks = split_blocks(VGG16(10))
    >>> len(blocks), [type(layer).__name__ for layer in blocks[1]]
    (14, ['Conv2d', 'BatchNorm2d', 'ReLU', 'MaxPool2d'])
    """
    if not isinstance(model, VGG16):
        raise TypeError(f"only a VGG16 has these blocks, got {type(model).__name__}.")
    features = copy.deepcopy(model.features)
    starts = [index for index, layer in enumerate(features) if isinstance(layer, nn.Conv2d)]
    blocks = [features[i:j] for i, j in zip(starts, [*starts[1:], len(features)], strict=True)]
    linear = cast(nn.Linear, model.classifier[0])
    last = nn.Conv2d(linear.in_features, linear.out_features, 1).to(linear.weight)
    with torch.no_grad():
        last.weight.copy_(linear.weight[:, :, None, None])
        cast(nn.Parameter, last.bias).copy_(linear.bias)
    return [block.eval() for block in (*blocks, nn.Sequential(last))]


def join_blocks(blocks: Sequence[nn.Sequential], model: VGG16) -> VGG16:
    """Return the network of ``blocks``, with the rest of the classifier of ``model``, in evaluation mode.

    Args:
        blocks: as :func:`split_blocks` returns them, perhaps with fewer channels between them.
        model: left as it is.

    Raises:
        ValueError: if there are not 14 blocks, or neighbouring blocks do not fit together.

    >>> model = VGG16(10)
    >>> sum(weight.numel() for weight in join_blocks(split_blocks(model), model).parameters())
    15253578
    """
    if len(blocks) != 14:
        raise ValueError(f"a VGG16 has 13 blocks and a first linear layer, 14 in all, got {len(blocks)}.")
    for index, (block, after) in enumerate(itertools.pairwise(blocks)):
        made, read = cast(nn.Conv2d, block[0]).out_channels, cast(nn.Conv2d, after[0]).in_channels
        if made != read:
            raise ValueError(f"block {index} makes {made} channels, and block {index + 1} reads {read}.")
    state = model.state_dict()
    names = [name for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d)]
    for name, (layer, norm, *_) in zip(names, blocks[:-1], strict=True):
        norm_name = f"features.{int(name.rpartition('.')[2]) + 1}"
        state.update({f"{name}.{key}": value for key, value in layer.state_dict().items()})
        state.update({f"{norm_name}.{key}": value for key, value in norm.state_dict().items()})
    last = blocks[-1][0].state_dict()
    state |= {"classifier.0.weight": last["weight"].flatten(1), "classifier.0.bias": last["bias"]}
    state = {key: value.detach().clone() for key, value in state.items()}
    return vgg16_from_state(state).to(state["classifier.0.weight"]).eval()


@torch.no_grad()
def forward_in_batches(block: nn.Module, maps: Tensor) -> Tensor:
    """Return what ``block`` computes from feature maps ``(n, c, h, w)``, in batches, without gradients.

    >>> forward_in_batches(nn.MaxPool2d(2), torch.ones(300, 8, 4, 4)).shape
    torch.Size([300, 8, 2, 2])
    """
    return torch.cat([block(batch) for batch in maps.split(BATCH)])
