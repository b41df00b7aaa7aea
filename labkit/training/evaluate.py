"""Loss and accuracy of a classifier on a split, in the type of its weights and without autocast.

Autocast to bf16 here would make recorded accuracies depend on the machine.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from labkit.data import Dataset, Split
from labkit.data.augment import normalize
from labkit.data.batches import batch_sizes
from labkit.models import device_and_dtype, evaluation_mode

__all__ = ["Evaluation", "correct_images", "evaluate", "evaluate_images", "summed_loss", "top_k_hits"]


class Evaluation(NamedTuple):
    """Mean cross-entropy in nats; top-1 and top-5 accuracy in per cent."""

    loss: float
    top1: float
    top5: float


def evaluate(model: nn.Module, dataset: Dataset, split: Split, *, batch_size: int = 100) -> Evaluation:
    """Evaluate ``model`` on ``split`` of ``dataset`` and leave it in the mode it was in.

    Args:
        model: maps images ``(n, 3, 32, 32)`` in the type of its parameters to logits ``(n, classes)``.
        dataset: gives the statistics for normalization.
        split: usually ``dataset.validation``; ``dataset.test`` only for a number that is reported.
        batch_size: images per batch; does not change the result.
    """
    return evaluate_images(model, dataset, split, batch_size=batch_size)[0]


def correct_images(
    model: nn.Module, dataset: Dataset, split: Split, *, batch_size: int = 100
) -> NDArray[np.bool_]:
    """Return for each image of ``split`` whether its class has the largest logit, ``(n,)``.

    The mean is the top-1 accuracy of :func:`evaluate`, with the same arguments; single images tell how
    two networks differ on them (:mod:`labkit.training.paired`).
    """
    return evaluate_images(model, dataset, split, batch_size=batch_size)[1]


def evaluate_images(
    model: nn.Module, dataset: Dataset, split: Split, *, batch_size: int = 100
) -> tuple[Evaluation, NDArray[np.bool_]]:
    """Return what :func:`evaluate` and :func:`correct_images` return, for the work of one of them."""
    sums, hits = list[tuple[Tensor, Tensor, Tensor]](), list[Tensor]()
    for logits, labels in _logits(model, dataset, split, batch_size):
        top5 = top_k_hits(logits, labels, k=min(5, logits.shape[1]))
        sums.append((summed_loss(logits, labels), top_k_hits(logits, labels, k=1), top5))
        hits.append(logits.argmax(1) == labels)
    # subtle: a GPU is waited for here and not in every batch.
    loss, top1, top5 = (sum(torch.stack(column).tolist()) for column in zip(*sums, strict=True))
    result = Evaluation(loss / split.size, 100 * top1 / split.size, 100 * top5 / split.size)
    return result, torch.cat(hits).cpu().numpy()


def _logits(
    model: nn.Module, dataset: Dataset, split: Split, batch_size: int
) -> list[tuple[Tensor, Tensor]]:
    """Return logits and labels of each batch, both on the model's device."""
    device, dtype = device_and_dtype(model)
    sizes, found = batch_sizes(split.size, batch_size), []
    images, labels = (part.to(device) for part in split)
    with evaluation_mode(model), torch.inference_mode():
        for batch, targets in zip(images.split(sizes), labels.split(sizes), strict=True):
            logits = model(normalize(batch, dataset.mean, dataset.std).to(dtype))
            found.append((logits, targets))
    return found


def summed_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the sum of the cross-entropies, in nats; logits in half precision are widened to float32.

    It is on the device, as the count of :func:`top_k_hits` is, so batches can follow each other.
    """
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return functional.cross_entropy(wide, labels, reduction="sum")


def top_k_hits(logits: Tensor, labels: Tensor, *, k: int) -> Tensor:
    """Count the labels ``(n,)`` that are among the ``k`` largest of their logits ``(n, classes)``.

    >>> top_k_hits(torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]), k=1)
    tensor(1)
    """
    return (logits.topk(k, dim=1).indices == labels[:, None]).sum()
