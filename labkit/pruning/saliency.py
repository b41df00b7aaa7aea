"""Saliency pruning: scores from gradients of the loss decide which weights to remove, early in training.

SNIP keeps the weights to which the loss is most sensitive (Lee et al. 2019); GraSP removes those
whose removal least harms, or most helps, the flow of gradients (Wang et al. 2020).
While scores are computed, normalization uses batch statistics, as in training, and all else is in
evaluation mode, so dropout of every kind is off. A frozen layer is scored like any other, and a layer that
the loss does not depend on has the gradient 0.
When to prune during training is in labkit.pruning.callbacks.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Collection, Mapping, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _NormBase

from labkit.data import Dataset
from labkit.data.augment import normalize
from labkit.data.batches import batch_sizes
from labkit.models import as_input, prunable_weights
from labkit.models.weights import require_own_weights
from labkit.pruning.magnitude import Masks, nonzero_masks, require_sparsity
from labkit.training.evaluate import summed_loss, top_k_hits

__all__ = [
    "Batches",
    "Rule",
    "calibration_batches",
    "calibration_result",
    "grasp_scores",
    "hessian_gradient_product",
    "random_masks",
    "masks_by_rule",
    "saliency_masks",
    "snip_scores",
]

Rule = Literal["grasp", "snip", "magnitude", "random", "grasp-shares"]
Batches = Sequence[tuple[Tensor, Tensor]]  # normalized images (n, 3, h, w) and labels (n,)


def calibration_batches(
    dataset: Dataset, *, images_per_class: int = 10, batch_size: int = 100, seed: int = 0
) -> Batches:
    """Draw the same number of training images of every class, normalized, in random order.

    Args:
        dataset: only its training split is used.
        images_per_class: drawn without replacement.
        batch_size: images per batch; the last may be smaller, or have one more.
        seed: decides which images and their order.

    Raises:
        ValueError: if a class has fewer images.
    """
    generator = torch.Generator().manual_seed(operator.index(seed))
    labels, rows = dataset.train.labels, []
    for label, name in enumerate(dataset.classes):
        members = (labels == label).nonzero().flatten()
        if len(members) < images_per_class:
            raise ValueError(
                f"class {name} has {len(members)} training images, fewer than "
                f"images_per_class={images_per_class}."
            )
        rows.append(members[torch.randperm(len(members), generator=generator)[:images_per_class]])
    drawn = torch.cat(rows)
    drawn = drawn[torch.randperm(len(drawn), generator=generator)]
    return [
        (normalize(dataset.train.images[part], dataset.mean, dataset.std), labels[part])
        for part in drawn.split(batch_sizes(len(drawn), batch_size))
    ]


@torch.no_grad()
def calibration_result(model: nn.Module, batches: Batches) -> tuple[float, float]:
    """Return the mean cross-entropy in nats and the accuracy in per cent, in the modes of scoring.

    Args:
        model: left as it is, including its buffers.
        batches: at least one.

    Raises:
        ValueError: if there are no batches.
    """
    model, total = _scoring_copy(model), _count(batches)
    loss, hits = 0.0, 0
    for images, labels in batches:
        logits = model(as_input(images, model))
        targets = labels.to(logits.device)
        loss += summed_loss(logits, targets).item()
        hits += int(top_k_hits(logits, targets, k=1))
    return loss / total, 100 * hits / total


@torch.enable_grad()
def hessian_gradient_product(
    model: nn.Module, batches: Batches, *, temperature: float = 200.0
) -> dict[str, Tensor]:
    """Compute Hg, the Hessian of the loss times its gradient, of every prunable weight.

    The loss is the mean over all images of the cross-entropy of ``logits / temperature``. The
    gradient g is first summed over the batches, then held fixed: Hg = ∇(∇L · g), by double backward.

    Args:
        model: left as it is, including its buffers; a copy is differentiated.
        batches: at least one.
        temperature: T > 0; a large one makes the softmax of an untrained network nearly uniform.

    Returns:
        For each prunable weight a tensor of its shape, dtype and device; float32 for half precision.

    Raises:
        ValueError: if there are no batches, or a layer computes its weight from other tensors.
    """
    model = _scoring_copy(model)
    weights, total = prunable_weights(model), _count(batches)
    if not weights:
        return {}
    gradient = [torch.zeros_like(weight) for weight in weights.values()]
    for images, labels in batches:
        parts = _gradient(model, weights, images, labels, temperature)
        for held, part in zip(gradient, parts, strict=True):
            held += part * (len(labels) / total)
    product = [torch.zeros_like(weight) for weight in weights.values()]
    for images, labels in batches:
        parts = _gradient(model, weights, images, labels, temperature, twice=True)
        inner = torch.stack([(a * b).sum() for a, b in zip(parts, gradient, strict=True)]).sum()
        second = _differentiate(inner, weights)
        for held, part in zip(product, second, strict=True):
            held += part * (len(labels) / total)
    return dict(zip(weights, product, strict=True))


def grasp_scores(model: nn.Module, batches: Batches, *, temperature: float = 200.0) -> dict[str, Tensor]:
    """Return −θ ⊙ Hg (Wang et al. 2020, equation 8): remove the weights with the HIGHEST scores.

    Scores are signed, so a weight that is already 0 scores 0, in the middle of the ranking.
    """
    product = hessian_gradient_product(model, batches, temperature=temperature)
    weights = prunable_weights(model)
    return {name: -weights[name].detach() * part for name, part in product.items()}


@torch.enable_grad()
def snip_scores(model: nn.Module, batches: Batches) -> dict[str, Tensor]:
    """Return |θ ⊙ ∇L| divided by its sum over the network: remove the weights with the LOWEST scores.

    Raises:
        ValueError: if there are no batches, or a layer computes its weight from other tensors.
    """
    model = _scoring_copy(model)
    weights, total = prunable_weights(model), _count(batches)
    if not weights:
        return {}
    gradient = [torch.zeros_like(weight) for weight in weights.values()]
    for images, labels in batches:
        parts = _gradient(model, weights, images, labels, 1.0)
        for held, part in zip(gradient, parts, strict=True):
            held += part * (len(labels) / total)
    scores = {
        name: (weight.detach() * part).abs()
        for (name, weight), part in zip(weights.items(), gradient, strict=True)
    }
    norm = sum(float(score.sum(dtype=torch.float64)) for score in scores.values())
    return {name: score / norm if norm else score for name, score in scores.items()}


def saliency_masks(importance: Mapping[str, Tensor], sparsity: float, kept: Mapping[str, Tensor]) -> Masks:
    """Return masks of the most important weights of the network; removed weights stay removed.

    Exactly ``round(sparsity · n)`` of the n weights are removed, or as many as before if that is
    more; of equal importances those with the lowest index go first.

    Args:
        importance: a tensor for each weight; the lowest values are removed first.
        sparsity: share of all weights to remove, in [0, 1].
        kept: the masks so far, bool, True where kept.

    Raises:
        ValueError: if ``sparsity`` is outside [0, 1], names differ or an importance is NaN.

    >>> kept = {"w": torch.tensor([True, True, False, True])}
    >>> saliency_masks({"w": torch.tensor([0.1, 3.0, 9.0, 2.0])}, 0.5, kept)
    {'w': tensor([False,  True, False,  True])}
    """
    require_sparsity(sparsity)
    if list(importance) != list(kept):
        raise ValueError(
            f"importance has the weights {', '.join(importance)}, but kept has {', '.join(kept)}."
        )
    if not importance:
        return {}
    flat = torch.cat([value.detach().flatten() for value in importance.values()])
    if bool(flat.isnan().any()):
        raise ValueError(f"{int(flat.isnan().sum())} of {flat.numel()} importances are NaN.")
    was_kept = torch.cat([mask.flatten() for mask in kept.values()])
    order = flat.masked_fill(~was_kept, -torch.inf).argsort(stable=True)
    mask = was_kept.clone()
    mask[order[: round(sparsity * flat.numel())]] = False
    parts = mask.split([value.numel() for value in importance.values()])
    return {
        name: part.view(value.shape) for (name, value), part in zip(importance.items(), parts, strict=True)
    }


def masks_by_rule(
    model: nn.Module,
    sparsity: float,
    rule: Rule,
    batches: Batches,
    *,
    spared: Collection[str] = (),
    seed: int = 0,
) -> Masks:
    """Return the masks of a pruning rule over the whole network; weights that are already 0 stay removed.

    Args:
        model: left as it is.
        sparsity: share of all prunable weights to remove, in [0, 1].
        rule: ``grasp`` and ``snip`` rank by their scores, ``magnitude`` by |θ|, ``random`` at random;
            ``grasp-shares`` keeps as many weights of each layer as ``grasp``, at random places.
        batches: from :func:`calibration_batches`; not used by ``magnitude`` and ``random``.
        spared: names of weights that keep all values, such as those of layers without batch
            normalization, of which some rules remove everything.
        seed: of what is chosen at random.

    Raises:
        ValueError: if the rule or a spared weight is unknown, or ``sparsity`` is outside [0, 1].
    """
    if rule in ("grasp", "grasp-shares"):
        importance = {name: -score for name, score in grasp_scores(model, batches).items()}
    elif rule == "snip":
        importance = snip_scores(model, batches)
    elif rule == "magnitude":
        importance = {name: weight.detach().abs() for name, weight in prunable_weights(model).items()}
    elif rule == "random":
        importance = _random_importance(model, seed)
    else:
        raise ValueError(f"unknown rule {rule!r}; choose from {', '.join(get_args(Rule))}.")
    unknown = [name for name in spared if name not in importance]
    if unknown:
        raise ValueError(
            f"there is no weight {', '.join(unknown)} to spare; the model has {', '.join(importance)}."
        )
    importance |= {name: torch.full_like(importance[name], torch.inf) for name in spared}
    kept = nonzero_masks(model)
    masks = saliency_masks(importance, sparsity, kept)
    if rule != "grasp-shares":
        return masks
    chance = _random_importance(model, seed)
    return {
        name: _most_important(chance[name], int(mask.sum()), kept[name]) for name, mask in masks.items()
    }


def random_masks(model: nn.Module, sparsity: float, *, seed: int = 0) -> Masks:
    """Return masks that remove weights uniformly at random; weights that are already 0 stay removed."""
    return saliency_masks(_random_importance(model, seed), sparsity, nonzero_masks(model))


def _most_important(importance: Tensor, count: int, kept: Tensor) -> Tensor:
    """Return the mask of the ``count`` largest importances of one weight among those kept so far."""
    order = importance.masked_fill(~kept, -torch.inf).flatten().argsort(descending=True)
    mask = torch.zeros_like(kept).flatten()
    mask[order[:count]] = True
    return mask.view(kept.shape)


def _random_importance(model: nn.Module, seed: int) -> dict[str, Tensor]:
    """Draw a uniform random number for each prunable weight."""
    generator = torch.Generator().manual_seed(operator.index(seed))
    return {
        name: torch.rand(weight.shape, generator=generator).to(weight.device)
        for name, weight in prunable_weights(model).items()
    }


def _scoring_copy(model: nn.Module) -> nn.Module:
    """Return a copy whose weights are differentiable, in at least float32, with batch statistics only."""
    require_own_weights(model)
    model = copy.deepcopy(model).eval()
    for module in model.modules():
        if isinstance(module, _NormBase):
            module.train()
    weights = prunable_weights(model).values()
    if any(weight.dtype in (torch.float16, torch.bfloat16) for weight in weights):
        model.float()  # products of small weights and gradients would underflow
    for weight in weights:
        weight.requires_grad_()
    return model


def _count(batches: Batches) -> int:
    """Return the number of images; refuse an empty list of batches."""
    if not batches:
        raise ValueError("there are no calibration batches; pass at least one pair (images, labels).")
    return sum(len(labels) for _, labels in batches)


def _gradient(
    model: nn.Module,
    weights: Mapping[str, Tensor],
    images: Tensor,
    labels: Tensor,
    temperature: float,
    *,
    twice: bool = False,
) -> tuple[Tensor, ...]:
    """Return the gradient of a batch's mean loss; ``twice`` keeps the graph for a second derivative."""
    logits = model(as_input(images, model)) / temperature
    loss = functional.cross_entropy(logits, labels.to(logits.device))
    return _differentiate(loss, weights, twice=twice)


def _differentiate(
    scalar: Tensor, weights: Mapping[str, Tensor], *, twice: bool = False
) -> tuple[Tensor, ...]:
    """Return the gradient of ``scalar``; it is 0 for a weight that it does not depend on."""
    if not scalar.requires_grad:
        return tuple(torch.zeros_like(weight) for weight in weights.values())
    return torch.autograd.grad(
        scalar, list(weights.values()), create_graph=twice, allow_unused=True, materialize_grads=True
    )
