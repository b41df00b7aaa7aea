"""Distillation: a network also learns from the outputs of a teacher (Hinton et al. 2015, section 2).

A compressed network taught by the dense network it came from is *self*-distillation.
Leaves out: the loop, which asks a callback for the loss.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from labkit import settings
from labkit.training.loop import Callback, mixed_precision

__all__ = ["Distiller", "distillation_loss"]


def distillation_loss(
    logits: Tensor, teacher_logits: Tensor, labels: Tensor, *, weight: float, temperature: float
) -> Tensor:
    """(1 − weight) · cross-entropy + weight · T² · KL(teacher ‖ student), both softened by T.

    T² keeps the size of the second term's gradient independent of the temperature.

    Args:
        logits: the student's, ``(n, classes)``.
        teacher_logits: of the same images, ``(n, classes)``.
        labels: int64 ``(n,)``.
        weight: share of the teacher's term, in [0, 1].
        temperature: T > 0.

    >>> logits = torch.tensor([[2.0, 0.0]])
    >>> distillation_loss(logits, logits, torch.tensor([0]), weight=1.0, temperature=4.0).item()
    0.0
    """
    soft = functional.log_softmax(logits / temperature, dim=1)
    target = functional.log_softmax(teacher_logits / temperature, dim=1)
    divergence = functional.kl_div(soft, target, reduction="batchmean", log_target=True)
    return (1 - weight) * functional.cross_entropy(logits, labels) + weight * temperature**2 * divergence


class Distiller(Callback):
    """Adds a teacher's term to the loss; ``inner`` acts on the model as it would alone.

    Args:
        teacher: in the device and layout of training; never changed.
        weight, temperature: as in :func:`distillation_loss`.
        inner: the callback that prunes or quantizes.

    Raises:
        ValueError: if the weight is outside [0, 1] or the temperature not positive.
    """

    def __init__(self, teacher: nn.Module, *, weight: float, temperature: float, inner: Callback) -> None:
        if not 0 <= weight <= 1 or not temperature > 0:
            raise ValueError(
                f"weight must be in [0, 1] and temperature positive, got {weight}, {temperature}."
            )
        self.teacher = teacher.to(settings.choose_device()).to(memory_format=torch.channels_last).eval()
        self.weight, self.temperature, self.inner = weight, temperature, inner

    def before_epoch(self, model: nn.Module, epoch: int) -> None:
        """What ``inner`` does."""
        self.inner.before_epoch(model, epoch)

    def after_step(self, model: nn.Module) -> None:
        """What ``inner`` does."""
        self.inner.after_step(model)

    def loss(self, inputs: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """:func:`distillation_loss` against what the teacher says of ``inputs``."""
        with torch.no_grad(), mixed_precision(inputs):
            teacher_logits = self.teacher.to(inputs.dtype)(inputs).to(inputs.dtype)
        return distillation_loss(
            logits, teacher_logits, labels, weight=self.weight, temperature=self.temperature
        )
