"""Knowledge distillation: a student also learns from a teacher's outputs (Hinton et al. 2015, section 2).

If the teacher is the dense network that the student was compressed from, it is *self*-distillation.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional

from labkit.training.config import Cut
from labkit.training.loop import Callback, mixed_precision, to_training_layout

__all__ = ["Distiller", "distillation_loss"]


def distillation_loss(
    logits: Tensor, teacher_logits: Tensor, labels: Tensor, *, weight: float, temperature: float
) -> Tensor:
    """Return (1 − weight) · cross-entropy + weight · T² · KL(teacher ‖ student).

    Both distributions of the second term are softened by the temperature T; the factor T² keeps the size
    of its gradient independent of T.

    Args:
        logits: the student's, ``(n, classes)``.
        teacher_logits: the teacher's for the same images, ``(n, classes)``.
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
    """Callback that adds a teacher's term to the loss; ``inner`` acts as it would alone.

    Args:
        teacher: a copy is used, as it is now, in evaluation mode; the network itself stays as it is.
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
        self.teacher = to_training_layout(_copy(teacher)).eval()
        self.weight, self.temperature, self.inner = weight, temperature, inner

    def before_epoch(self, model: nn.Module, epoch: int) -> None:
        """Do what ``inner`` does."""
        self.inner.before_epoch(model, epoch)

    def after_step(self, model: nn.Module) -> None:
        """Do what ``inner`` does."""
        self.inner.after_step(model)

    def constant_rate(self) -> float | None:
        """Return what ``inner`` does."""
        return self.inner.constant_rate()

    def cuts(self) -> tuple[Cut, ...]:
        """Return what ``inner`` does."""
        return self.inner.cuts()

    def loss(self, inputs: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """Return the :func:`distillation_loss` against the teacher's logits for ``inputs``."""
        with torch.no_grad(), mixed_precision(inputs):
            teacher_logits = self.teacher.to(inputs.dtype)(inputs).to(inputs.dtype)
        return distillation_loss(
            logits, teacher_logits, labels, weight=self.weight, temperature=self.temperature
        )


def _copy(model: nn.Module) -> nn.Module:
    """A copy of a network, also of one whose weights are computed, as torch's own pruning leaves them."""
    # subtle: deepcopy refuses a tensor that has a history, and takes the replacement that memo holds.
    computed = (
        value
        for module in model.modules()
        for value in vars(module).values()
        if isinstance(value, Tensor) and not value.is_leaf
    )
    return copy.deepcopy(model, {id(value): value.detach().clone() for value in computed})
