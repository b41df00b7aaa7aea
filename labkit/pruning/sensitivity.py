"""Sensitivity scans: the accuracy with one layer pruned alone, and masks that follow from a scan.

The scan walks once through a chain of layers (networks with branches are refused). Pruning a layer does
not change what comes before it, so the activations that enter the layer are kept and only the rest of
the network runs again. The results equal those of the naive loop over layers (Han et al. 2015, section
3.1) bit for bit. On request the statistics of batch norm are estimated again for every pruned layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from labkit.data import Dataset, Split
from labkit.data.augment import normalize
from labkit.data.batches import batch_sizes
from labkit.models import VGG16, device_and_dtype, evaluation_mode, prunable_weights
from labkit.models.weights import has_hooks, require_no_hooks, require_own_weights
from labkit.pruning.allocation import SensitivityScan, greedy_sparsities
from labkit.pruning.batch_statistics import (
    batch_statistics,
    copy_statistics,
    restore_statistics,
    tracking_norms,
)
from labkit.pruning.channel_blocks import BATCH
from labkit.pruning.channels import reestimate_batch_norm, training_images
from labkit.pruning.magnitude import Masks, magnitude_mask, removal_order
from labkit.training.evaluate import summed_loss, top_k_hits

__all__ = ["SensitivityScan", "greedy_sparsities", "sensitivity_masks", "sensitivity_scan"]

Stages = Sequence[tuple[str, nn.Module]]

# Beyond 90 %, since large layers must exceed the target for sensitive layers to stay below it.
SPARSITIES = (0.0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99)


def sensitivity_scan(
    model: nn.Module,
    dataset: Dataset,
    split: Split,
    *,
    sparsities: Sequence[float] = SPARSITIES,
    batch_size: int = 100,
    reestimate_images: int = 0,
) -> SensitivityScan:
    """Prune each layer of ``model`` alone to each of ``sparsities`` and evaluate on ``split``.

    Weights, statistics and mode of the model are restored afterwards, even if an exception ends the scan.
    The activations of ``split`` at one layer are in memory: 256 KiB per image in VGG16's first block.

    Args:
        model: a chain of modules: a :class:`VGG16` or an ``nn.Sequential``, which may be nested. Part of
            the chain may be any module; one that computes with several layers runs as a whole.
        dataset: gives the statistics for normalization.
        split: held-out training images, never ``dataset.test``.
        sparsities: increasing shares in [0, 1].
        batch_size: images per batch.
        reestimate_images: training images on which batch norm's means and variances are estimated again
            before each evaluation, as :func:`labkit.pruning.channels.reestimate_batch_norm` does it, also
            where nothing is pruned; 0 keeps the trained statistics.

    Raises:
        ValueError: if the model is not a chain, has nothing to prune or uses a weight in two places, if a
            layer computes its weight from other tensors, if ``sparsities`` do not increase within [0, 1],
            if a weight is not finite, or if ``reestimate_images`` is negative.
    """
    _require_levels(sparsities)
    if reestimate_images < 0:
        raise ValueError(f"reestimate_images must be at least 0, got {reestimate_images}.")
    stages = _stages(model)
    device, dtype = device_and_dtype(model)
    sizes = batch_sizes(split.size, batch_size)
    labels = split.labels.to(device).split(sizes)
    names, scores = [], []
    with evaluation_mode(model), _kept_statistics(stages), torch.inference_mode():
        calibration: list[Tensor] = []
        if reestimate_images:
            reestimate_batch_norm(model, dataset, image_count=reestimate_images)
            images = training_images(dataset, reestimate_images, seed=0).to(device, dtype)
            calibration = list(images.split(batch_sizes(len(images), BATCH)))
        batches = [
            normalize(images.to(device), dataset.mean, dataset.std).to(dtype)
            for images in split.images.split(sizes)
        ]
        measured = {0.0: _score(stages, batches, labels)} if 0 in sparsities else {}
        for index, (prefix, stage) in enumerate(stages):
            for name, weight in prunable_weights(stage).items():
                names.append(f"{prefix}.{name}".removeprefix("."))
                order = removal_order(weight, names[-1])  # sorted once for all levels
                scores.append(
                    [
                        measured.get(sparsity)
                        or _score_pruned(
                            weight,
                            order[: round(sparsity * len(order))],
                            stages[index:],
                            batches,
                            labels,
                            calibration,
                        )
                        for sparsity in sparsities
                    ]
                )
            with batch_statistics(_norms([stages[index]]), update=False):
                calibration = [stage(batch) for batch in calibration]
            for position, batch in enumerate(batches):  # one by one, so the old ones are freed
                batches[position] = stage(batch)
    return SensitivityScan(
        tuple(names),
        tuple(map(float, sparsities)),
        accuracies=tuple(tuple(accuracy for accuracy, _ in row) for row in scores),
        losses=tuple(tuple(loss for _, loss in row) for row in scores),
    )


def sensitivity_masks(
    model: nn.Module, target: float, dataset: Dataset, *, image_count: int = 500
) -> Masks:
    """Return magnitude masks that remove ``target`` of all weights, more from less sensitive layers.

    The steps are :func:`sensitivity_scan`, :func:`greedy_sparsities` and :func:`magnitude_mask`; each
    layer rounds to whole weights.

    Args:
        model: as for :func:`sensitivity_scan`; left as it is.
        target: share of all prunable weights to remove, in [0, 0.99].
        dataset: its first ``image_count`` validation images are scanned.
        image_count: at least 1; all if there are fewer.

    Raises:
        ValueError: for the reasons of the scan and the allocation, or if ``image_count`` is below 1.
    """
    if image_count < 1:
        raise ValueError(f"image_count must be at least 1, got {image_count}.")
    if not 0 <= target <= SPARSITIES[-1]:
        raise ValueError(f"target must be a share in [0, {SPARSITIES[-1]}], got {target}; 90 % is 0.9.")
    subset = Split(dataset.validation.images[:image_count], dataset.validation.labels[:image_count])
    weights = prunable_weights(model)
    scan = sensitivity_scan(model, dataset, subset)
    sparsities = greedy_sparsities(scan, {name: w.numel() for name, w in weights.items()}, target)
    return {name: magnitude_mask(weights[name], sparsity) for name, sparsity in sparsities.items()}


def _stages(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Return the modules that ``model`` applies one after another, with their names."""
    require_own_weights(model)
    if isinstance(model, VGG16) and type(model).forward is VGG16.forward:
        require_no_hooks("", model)
        parts = [("features", model.features), ("", nn.Flatten()), ("classifier", model.classifier)]
    elif isinstance(model, nn.Sequential):
        parts = [("", model)]
    else:
        raise ValueError(f"a scan needs a VGG16 or an nn.Sequential, got {type(model).__name__}.")
    stages = [leaf for name, part in parts for leaf in _leaves(name, part)]
    names: dict[int, str] = {}
    for prefix, stage in stages:
        for name, weight in prunable_weights(stage).items():
            name = f"{prefix}.{name}".removeprefix(".")
            if id(weight) in names:
                raise ValueError(
                    f"{names[id(weight)]!r} and {name!r} are one weight: the model applies a layer twice or "
                    "ties two; a scan needs a separate weight for each use."
                )
            names[id(weight)] = name
    if not names:
        raise ValueError("the model has no convolution or linear layer to scan.")
    return stages


def _leaves(name: str, module: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield the modules inside nested Sequentials, in order; one that does more than call them is whole."""
    own_forward = type(module).forward is not nn.Sequential.forward
    if not isinstance(module, nn.Sequential) or own_forward or has_hooks(module):
        yield name, module
        return
    for key, child in module._modules.items():  # subtle: named_children skips a module that occurs again
        yield from _leaves(f"{name}.{key}".removeprefix("."), child)


def _score_pruned(
    weight: Tensor,
    removed: Tensor,
    suffix: Sequence[tuple[str, nn.Module]],
    batches: Sequence[Tensor],
    labels: Sequence[Tensor],
    calibration: Sequence[Tensor],
) -> tuple[float, float]:
    """Return accuracy and loss with the entries ``removed`` of ``weight`` at 0, from the layer's inputs."""
    with _pruned(weight, removed), _kept_statistics(suffix):
        if calibration:
            _reestimate(suffix, calibration)
        return _score(suffix, batches, labels)


def _reestimate(stages: Stages, batches: Sequence[Tensor]) -> None:
    """Estimate the statistics of the batch norms in ``stages`` again, from the inputs of the first."""
    with batch_statistics(_norms(stages), update=True):
        for x in batches:
            for _, stage in stages:
                x = stage(x)


@contextmanager
def _kept_statistics(stages: Stages) -> Iterator[None]:
    """Restore the running statistics of the batch norms in ``stages`` at the end of the block."""
    norms = _norms(stages)
    statistics = copy_statistics(norms)
    try:
        yield
    finally:
        restore_statistics(norms, statistics)


def _norms(stages: Stages) -> list[_BatchNorm]:
    """Return the batch norms of ``stages`` that keep running statistics."""
    return tracking_norms(stage for _, stage in stages)


@contextmanager
def _pruned(weight: Tensor, removed: Tensor) -> Iterator[None]:
    """Set the entries ``removed`` of ``weight`` to 0, and restore them afterwards."""
    original = weight.clone()
    mask = torch.zeros(weight.numel(), dtype=torch.bool, device=weight.device)
    mask[removed] = True
    try:
        weight.masked_fill_(mask.view(weight.shape), 0.0)
        yield
    finally:
        weight.copy_(original)


def _score(
    stages: Sequence[tuple[str, nn.Module]], batches: Sequence[Tensor], labels: Sequence[Tensor]
) -> tuple[float, float]:
    """Return top-1 accuracy in per cent and mean cross-entropy, as ``labkit.training.evaluate`` does."""
    loss, hits = 0.0, 0
    for x, target in zip(batches, labels, strict=True):
        for _, stage in stages:
            x = stage(x)
        loss += summed_loss(x, target).item()
        hits += int(top_k_hits(x, target, k=1))
    size = sum(map(len, labels))
    return 100 * hits / size, loss / size


def _require_levels(sparsities: Sequence[float]) -> None:
    """Refuse sparsities that do not increase within [0, 1]."""
    pairs = pairwise(sparsities)
    if not sparsities or not all(0 <= s <= 1 for s in sparsities) or any(a >= b for a, b in pairs):
        raise ValueError(
            f"sparsities must be increasing shares in [0, 1], got {list(sparsities)}; 80 % is 0.8."
        )
