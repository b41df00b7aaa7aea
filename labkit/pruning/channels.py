"""Channel pruning of VGG16 (He et al. 2017): a smaller network that reproduces the outputs of a larger one.

Layer by layer, the input channels of a convolution (and of the first linear layer) are selected, and its
weight is fitted again, so that from the inputs of the pruned network it reproduces the original outputs.
The smaller network still has to be fine-tuned.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from labkit.data import Dataset
from labkit.data.augment import normalize
from labkit.data.batches import batch_sizes
from labkit.environment import keep_random_state
from labkit.models import VGG16, device_and_dtype, evaluation_mode
from labkit.models.weights import (
    layer_label,
    named_layers,
    require_no_hooks,
    require_own_weight,
    require_type,
)
from labkit.pruning.batch_statistics import (
    batch_statistics,
    copy_statistics,
    restore_statistics,
    tracking_norms,
)
from labkit.pruning.channel_blocks import BATCH, forward_in_batches
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

ChannelConsumer = nn.Conv2d | nn.Linear  # a layer whose inputs are channels
IMAGES = 1_024
ROWS = 16_384  # enough for the moments of 4,608 columns
BATCH_ROWS = 4_096
NORM_PARTS = ("weight", "bias", "running_mean", "running_var")


@keep_random_state()  # the random weights are replaced
def slice_channels(model: VGG16, kept: Sequence[Tensor]) -> VGG16:
    """Return a smaller network with only the ``kept`` output channels of each convolution.

    Each convolution loses filters, its batch norm their entries, and the next layer their columns; the
    remaining values are unchanged.

    Args:
        model: left as it is.
        kept: thirteen int64 tensors of channel indices.

    Raises:
        ValueError: if ``kept`` has not thirteen entries, or the model is not a plain VGG16.
    """
    _require_plain(model)
    convolutions = len(_widths(model))
    if len(kept) != convolutions:
        raise ValueError(
            f"kept must have one entry per convolution, {convolutions} in all, got {len(kept)}."
        )
    state, names = model.state_dict(), {module: name for name, module in model.named_modules()}
    consumers = [names[layer] for layer in _consumers(model)[1:]]
    for (layer, norm, *_), consumer, rows in zip(_blocks(model)[:-1], consumers, kept, strict=True):
        for name, parts in ((names[layer], ("weight", "bias")), (names[norm], NORM_PARTS)):
            state.update({f"{name}.{part}": state[f"{name}.{part}"][rows] for part in parts})
        state[f"{consumer}.weight"] = state[f"{consumer}.weight"][:, rows]
    small = VGG16(len(state["classifier.6.weight"]), channels=[len(rows) for rows in kept])
    last = state["classifier.6.weight"]
    small.to(last.device, last.dtype).load_state_dict(state)
    return _take_over_flags(small, model)


def prune_channels(
    model: VGG16,
    dataset: Dataset,
    keep: Sequence[int] | Mapping[int, int],
    *,
    selection: Selection = "lasso",
    image_count: int = IMAGES,
    seed: int = 0,
) -> VGG16:
    """Return a smaller network with selected channels, fitted weights and re-estimated batch norm.

    Layers are pruned from the input on. The inputs of a layer come from the network pruned so far, its
    targets (before batch norm, without bias) from the original (section 3.2 of He et al.). All is computed
    in the model's type; in float64 the result does not depend on the processor.

    Args:
        model: left as it is.
        dataset: only its training images are used, without augmentation.
        keep: output channels of the thirteen convolutions, or of some of them by index.
        selection: a rule of :func:`select_channels`.
        image_count: the largest number of training images to use.
        seed: decides which images, and with the random rule which channels.

    Raises:
        ValueError: if a number of channels is out of range, or the model is not a plain VGG16 in float32 or
            float64.
    """
    _require_plain(model)
    _require_wide(model)
    counts = _counts(model, keep)
    kept = [torch.arange(width) for width in _widths(model)]
    original, pruned = copy.deepcopy(model).eval(), copy.deepcopy(model).eval()
    images = training_images(dataset, image_count, seed)
    for index, moments in enumerate(_walk(original, pruned, images)):
        if not index or counts[index - 1] == len(kept[index - 1]):
            continue
        layer_inputs, layer = moments(), _consumers(pruned)[index]
        kept[index - 1] = select_channels(
            layer_inputs, layer.weight, counts[index - 1], selection=selection, seed=seed
        )
        reconstruct(layer, layer_inputs, kept[index - 1])
    small = _take_over_flags(slice_channels(pruned, kept), model)
    reestimate_batch_norm(small, dataset, image_count=image_count, seed=seed)
    return small


def layer_moments(
    model: VGG16, dataset: Dataset, index: int, *, image_count: int = IMAGES, seed: int = 0
) -> Moments:
    """Return the moments of convolution ``index``, 0 to 12, or of the first linear layer, 13.

    Inputs and targets both come from ``model``; the other arguments are those of :func:`prune_channels`.

    Raises:
        ValueError: if there is no such layer, or the model is not a plain VGG16 in float32 or float64.
    """
    _require_plain(model)
    _require_wide(model)
    original = copy.deepcopy(model).eval()
    for position, moments in enumerate(
        _walk(original, original, training_images(dataset, image_count, seed))
    ):
        if position == index:
            return moments()
    raise ValueError(f"there is no layer {index}; convolutions are 0 to 12, the first linear layer is 13.")


def reconstruct(layer: ChannelConsumer, moments: Moments, channels: Tensor) -> None:
    """Fit the weight of ``layer`` to ``moments`` in place; weights of other channels become 0."""
    shape = len(layer.weight), moments.channel_count, moments.kernel_size
    fitted = torch.zeros(shape, device=layer.weight.device, dtype=layer.weight.dtype)
    solution = least_squares(moments, channels.to(moments.xx.device)).to(fitted)
    fitted[:, channels] = solution.view(shape[0], len(channels), shape[2])
    with torch.no_grad():
        layer.weight.copy_(fitted.view(layer.weight.shape))


def reestimate_batch_norm(
    model: nn.Module, dataset: Dataset, *, image_count: int = IMAGES, seed: int = 0
) -> None:
    """Replace the running mean and variance of batch norm by averages over training images, in place.

    All layers are estimated at once, on batches of 128 as in training, without dropout. Modes and
    momenta are restored; if an exception ends the estimation, so are the running statistics.

    Args:
        model: any network of images.
        dataset: only its training images are used, without augmentation.
        image_count: the largest number of training images to use.
        seed: decides which images.
    """
    norms = tracking_norms([model])
    statistics = copy_statistics(norms)
    device, dtype = device_and_dtype(model)
    images = training_images(dataset, image_count, seed).to(device, dtype)
    try:
        with evaluation_mode(model), batch_statistics(norms, update=True), torch.no_grad():
            for batch in images.split(batch_sizes(len(images), BATCH)):
                model(batch)
    except BaseException:
        restore_statistics(norms, statistics)
        raise


def training_images(dataset: Dataset, count: int, seed: int) -> Tensor:
    """Draw at most ``count`` training images without replacement, normalized."""
    rows = torch.randperm(
        dataset.train.size, generator=torch.Generator().manual_seed(operator.index(seed))
    )[:count]
    return normalize(dataset.train.images[rows], dataset.mean, dataset.std)


def _take_over_flags(small: VGG16, model: VGG16) -> VGG16:
    """Give the modules of ``small`` the modes and dropout rates, and its parameters the ``requires_grad``, of ``model``."""
    for name, module in model.named_modules():
        copied = small.get_submodule(name)
        copied.training = module.training
        if isinstance(copied, nn.Dropout) and isinstance(module, nn.Dropout):
            copied.p = module.p
    for name, parameter in model.named_parameters():
        small.get_parameter(name).requires_grad_(parameter.requires_grad)
    return small


def _walk(original: VGG16, pruned: VGG16, images: Tensor) -> Iterator[Callable[[], Moments]]:
    """Yield for each layer that reads channels a function that computes its moments, from the input on.

    Both networks are in evaluation mode; the layer of ``pruned`` may be changed before the next step.
    """
    source = inputs = images.to(next(original.parameters()))
    for layer, old, new in zip(_consumers(original), _blocks(original), _blocks(pruned), strict=True):
        yield partial(_moments, layer, source, inputs)
        if isinstance(layer, nn.Conv2d):
            # subtle: up to the first layer that was fitted again, both networks compute the same.
            shared = inputs is source and torch.equal(layer.weight, cast(ChannelConsumer, new[0]).weight)
            source, before = forward_in_batches(old, source), inputs
            inputs = source if shared else forward_in_batches(new, before)


@torch.no_grad()
def _moments(layer: ChannelConsumer, source: Tensor, inputs: Tensor) -> Moments:
    """Compute the moments from ``inputs`` to the outputs of ``layer`` for ``source``, without bias."""
    if isinstance(layer, nn.Conv2d):
        weight, padding, positions = layer.weight, int(layer.padding[0]), inputs[0, 0].numel()
    else:  # a convolution as large as its input
        weight, padding, positions = layer.weight.view(-1, *inputs.shape[1:]), 0, 1
    count, batch = max(1, ROWS // positions), max(1, BATCH_ROWS // positions)
    pairs = zip(source[:count].split(batch), inputs[:count].split(batch), strict=True)
    batches = ((x, functional.conv2d(start, weight, padding=padding)) for start, x in pairs)
    return streamed_moments(batches, (weight.shape[2], weight.shape[3]), padding=padding)


def _require_plain(model: nn.Module) -> None:
    """Refuse networks of which a new VGG16 would lose something."""
    if type(model) is not VGG16:
        raise ValueError(
            f"only the channels of a VGG16 can be cut, got {type(model).__name__}; of a DataParallel pass "
            "its module."
        )
    for name, layer in named_layers(model).items():
        require_own_weight(name, layer)
        require_type(name, layer, {nn.Conv2d: None, nn.Linear: None})
    for name, module in model.named_modules():
        require_no_hooks(name, module)


def _require_wide(model: VGG16) -> None:
    """Refuse half precision, in which sums of products overflow."""
    for name, layer in named_layers(model).items():
        if layer.weight.dtype not in (torch.float32, torch.float64):
            raise ValueError(
                f"{layer_label(name, layer)} is {layer.weight.dtype}, in which its outputs cannot be fitted; "
                "call model.float() first."
            )


def _blocks(model: VGG16) -> list[nn.Sequential]:
    """Return the 13 convolutions with the layers that follow each, and the first linear layer."""
    starts = [i for i, module in enumerate(model.features) if isinstance(module, nn.Conv2d)]
    ends = [*starts[1:], len(model.features)]
    return [*(model.features[i:j] for i, j in zip(starts, ends, strict=True)), model.classifier[:1]]


def _consumers(model: VGG16) -> list[ChannelConsumer]:
    """Return the first layer of each block."""
    return [cast(ChannelConsumer, block[0]) for block in _blocks(model)]


def _widths(model: VGG16) -> list[int]:
    """Return the number of output channels of each convolution."""
    return [layer.out_channels for layer in _consumers(model) if isinstance(layer, nn.Conv2d)]


def _counts(model: VGG16, keep: Sequence[int] | Mapping[int, int]) -> list[int]:
    """Return the number of output channels of each convolution after pruning."""
    widths = _widths(model)
    if isinstance(keep, Mapping):
        unknown = sorted(set(keep) - set(range(len(widths))))
        if unknown:
            raise ValueError(f"there is no convolution {unknown}; convolutions are 0 to {len(widths) - 1}.")
        keep = [keep.get(index, width) for index, width in enumerate(widths)]
    if len(keep) != len(widths):
        raise ValueError(
            f"keep must have one entry per convolution, {len(widths)} in all, got {len(keep)}."
        )
    for index, (count, width) in enumerate(zip(keep, widths, strict=True)):
        if not 1 <= count <= width:
            raise ValueError(f"cannot keep {count} of the {width} channels of convolution {index}.")
    return list(keep)
