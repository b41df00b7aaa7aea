"""Channel pruning of VGG16 (He et al. 2017): from a network to a smaller one that imitates it.

Layer by layer, the inputs of a convolution (and of the first linear layer) are chosen, and its weight
is fitted anew, so that from the network pruned so far it gives what the original gave.
Leaves out: the rules that choose (selection), the algebra (moments), fine-tuning.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from labkit.data import Dataset
from labkit.data.augment import normalize
from labkit.models import VGG16, evaluation_mode
from labkit.pruning.channel_reconstruction import Moments, least_squares, streamed_moments
from labkit.pruning.channel_selection import Selection, select_channels

__all__ = [
    "layer_moments",
    "prune_channels",
    "reconstruct",
    "reestimate_batch_norm",
    "slice_channels",
    "training_images",
]

Reader = nn.Conv2d | nn.Linear  # a layer that reads channels
IMAGES = 1_024
ROWS = 16_384  # enough for moments of 4,608 columns; more only cost time
BATCH_ROWS = 4_096
BATCH = 128
NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


def slice_channels(model: VGG16, kept: Sequence[Tensor]) -> VGG16:
    """A smaller network with only the ``kept`` output channels of each convolution; no value changes.

    Each convolution loses filters, its batch norm their entries, and the next layer their columns.

    Args:
        model: is not changed.
        kept: thirteen int64 tensors of channel indices.

    Raises:
        ValueError: if there are not thirteen.
    """
    convolutions = len(_widths(model))
    if len(kept) != convolutions:
        raise ValueError(f"expected the channels kept of {convolutions} convolutions, got {len(kept)}.")
    state, names = model.state_dict(), {module: name for name, module in model.named_modules()}
    reads = [names[layer] for layer in _readers(model)[1:]]
    for (layer, norm, *_), reader, rows in zip(_blocks(model)[:-1], reads, kept, strict=True):
        for name, parts in ((names[layer], ("weight", "bias")), (names[norm], NORM_PARTS)):
            state.update({f"{name}.{part}": state[f"{name}.{part}"][rows] for part in parts})
        state[f"{reader}.weight"] = state[f"{reader}.weight"][:, rows]
    small = VGG16(len(state["classifier.6.weight"]), channels=[len(rows) for rows in kept])
    small.load_state_dict(state)
    return small.to(state["classifier.6.weight"].device).train(model.training)


def prune_channels(
    model: VGG16,
    dataset: Dataset,
    keep: Sequence[int] | Mapping[int, int],
    *,
    selection: Selection = "lasso",
    image_count: int = IMAGES,
    seed: int = 0,
) -> VGG16:
    """A smaller network: channels chosen, what reads them fitted anew, batch norm re-estimated.

    From the input on, a layer's inputs come from the network pruned so far, its targets (before batch
    norm, without bias) from the original (section 3.2 of He et al.). It still has to be fine-tuned.

    Args:
        model: is not changed.
        dataset: its training images, without augmentation, are all that is read.
        keep: output channels of the thirteen convolutions, or by index of some of them.
        selection: a rule of :func:`select_channels`.
        image_count: how many training images, at most.
        seed: which images, and for the random rule which channels.

    Raises:
        ValueError: if a number of channels is out of range.
    """
    counts = _counts(model, keep)
    kept = [torch.arange(width) for width in _widths(model)]
    original, pruned = copy.deepcopy(model).eval(), copy.deepcopy(model).eval()
    images = training_images(dataset, image_count, seed)
    for index, moments in enumerate(_walk(original, pruned, images)):
        if not index or counts[index - 1] == len(kept[index - 1]):
            continue
        found, layer = moments(), _readers(pruned)[index]
        kept[index - 1] = select_channels(
            found, layer.weight, counts[index - 1], selection=selection, seed=seed
        )
        reconstruct(layer, found, kept[index - 1])
    small = slice_channels(pruned, kept).train(model.training)
    reestimate_batch_norm(small, dataset, image_count=image_count, seed=seed)
    return small


def layer_moments(
    model: VGG16, dataset: Dataset, index: int, *, image_count: int = IMAGES, seed: int = 0
) -> Moments:
    """The moments of convolution ``index``, 0 to 12, or of the first linear layer, 13.

    Inputs and targets both come from ``model``; see :func:`prune_channels` for the other arguments.

    Raises:
        ValueError: if there is no such layer.
    """
    fixed = copy.deepcopy(model).eval()
    for position, moments in enumerate(_walk(fixed, fixed, training_images(dataset, image_count, seed))):
        if position == index:
            return moments()
    raise ValueError(f"no layer {index}; convolutions are 0 to 12, the first linear layer is 13.")


def reconstruct(layer: Reader, moments: Moments, channels: Tensor) -> None:
    """Fit the weight of ``layer`` to ``moments``, in place; inputs other than ``channels`` get 0."""
    shape = len(layer.weight), moments.channel_count, moments.kernel_size
    fitted = torch.zeros(shape, device=layer.weight.device)
    found = least_squares(moments, channels.to(moments.xx.device)).to(fitted)
    fitted[:, channels] = found.view(shape[0], len(channels), shape[2])
    with torch.no_grad():
        layer.weight.copy_(fitted.view(layer.weight.shape))


def reestimate_batch_norm(
    model: nn.Module, dataset: Dataset, *, image_count: int = IMAGES, seed: int = 0
) -> None:
    """Replace the running mean and variance of batch norm by averages over training images, in place.

    All layers at once, on batches of 128 as in training; dropout stays off. The mode is restored.

    Args:
        model: any network of images.
        dataset: its training images, without augmentation, are all that is read.
        image_count: how many of them, at most.
        seed: which.
    """
    norms = [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    device = next(model.parameters()).device
    with evaluation_mode(model), torch.no_grad():
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain average of all batches
            norm.train()
        for batch in training_images(dataset, image_count, seed).to(device).split(BATCH):
            model(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


def training_images(dataset: Dataset, count: int, seed: int) -> Tensor:
    """At most ``count`` training images, drawn without replacement, normalized."""
    rows = torch.randperm(dataset.train.size, generator=torch.Generator().manual_seed(seed))[:count]
    return normalize(dataset.train.images[rows], dataset.mean, dataset.std)


def _walk(original: VGG16, pruned: VGG16, images: Tensor) -> Iterator[Callable[[], Moments]]:
    """For each layer that reads channels, from the input on, what computes its moments.

    Both are in evaluation mode; that layer of ``pruned`` may be changed before the next is asked for.
    """
    source = inputs = images.to(next(original.parameters()).device)
    for layer, old, new in zip(_readers(original), _blocks(original), _blocks(pruned), strict=True):
        yield partial(_moments, layer, source, inputs)
        if isinstance(layer, nn.Conv2d):
            # subtle: up to the first layer that was fitted anew, both networks compute the same.
            shared = inputs is source and torch.equal(layer.weight, cast(Reader, new[0]).weight)
            source, before = _advance(old, source), inputs
            inputs = source if shared else _advance(new, before)


@torch.no_grad()
def _moments(layer: Reader, source: Tensor, inputs: Tensor) -> Moments:
    """Moments from ``inputs`` to what ``layer`` makes of ``source``, its bias left out."""
    if isinstance(layer, nn.Conv2d):
        weight, padding, positions = layer.weight, int(layer.padding[0]), inputs[0, 0].numel()
    else:  # a convolution as large as its input
        weight, padding, positions = layer.weight.view(-1, *inputs.shape[1:]), 0, 1
    count, batch = max(1, ROWS // positions), max(1, BATCH_ROWS // positions)
    pairs = zip(source[:count].split(batch), inputs[:count].split(batch), strict=True)
    batches = ((x, functional.conv2d(start, weight, padding=padding)) for start, x in pairs)
    return streamed_moments(batches, (weight.shape[2], weight.shape[3]), padding=padding)


@torch.no_grad()
def _advance(block: nn.Sequential, maps: Tensor) -> Tensor:
    """The maps after a block, in batches."""
    return torch.cat([block(batch) for batch in maps.split(BATCH)])


def _blocks(model: VGG16) -> list[nn.Sequential]:
    """The layers that read channels, each with what follows: 13 convolutions, the first linear layer."""
    starts = [i for i, module in enumerate(model.features) if isinstance(module, nn.Conv2d)]
    ends = [*starts[1:], len(model.features)]
    return [*(model.features[i:j] for i, j in zip(starts, ends, strict=True)), model.classifier[:1]]


def _readers(model: VGG16) -> list[Reader]:
    """The first layer of each block."""
    return [cast(Reader, block[0]) for block in _blocks(model)]


def _widths(model: VGG16) -> list[int]:
    """The output channels of each convolution."""
    return [layer.out_channels for layer in _readers(model) if isinstance(layer, nn.Conv2d)]


def _counts(model: VGG16, keep: Sequence[int] | Mapping[int, int]) -> list[int]:
    """The output channels of every convolution after pruning."""
    widths = _widths(model)
    if isinstance(keep, Mapping):
        unknown = sorted(set(keep) - set(range(len(widths))))
        if unknown:
            raise ValueError(f"no convolution {unknown}; they are 0 to {len(widths) - 1}.")
        keep = [keep.get(index, width) for index, width in enumerate(widths)]
    if len(keep) != len(widths):
        raise ValueError(f"expected the channels of {len(widths)} convolutions, got {len(keep)}.")
    for index, (count, width) in enumerate(zip(keep, widths, strict=True)):
        if not 1 <= count <= width:
            raise ValueError(f"cannot keep {count} of the {width} channels of convolution {index}.")
    return list(keep)
