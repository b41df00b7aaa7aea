"""Callbacks that prune, at given epochs or accuracies, and keep pruned weights at zero.

Leaves out: which weights are pruned (:mod:`labkit.pruning.magnitude` and its neighbours).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from labkit.models import total_sparsity
from labkit.pruning.magnitude import Masks, apply_masks, nonzero_masks
from labkit.training import Callback, Cut
from labkit.training.distributed import broadcast, current_workers, sum_over_workers

__all__ = ["PruningCallback", "StagedPruning", "linear_ramp"]


def linear_ramp(target: float, ramp_epochs: int) -> list[float]:
    """Return sparsities that rise by equal amounts to ``target`` over ``ramp_epochs`` epochs.

    Raises:
        ValueError: if ``target`` is outside [0, 1] or ``ramp_epochs`` is below 1.

    >>> linear_ramp(0.8, 4)
    [0.2, 0.4, 0.6, 0.8]
    """
    if not 0 <= target <= 1:
        raise ValueError(f"target is a share in [0, 1], got {target}; 80 % is 0.8.")
    if ramp_epochs < 1:
        raise ValueError(f"ramp_epochs must be at least 1, got {ramp_epochs}.")
    return [round(target * epoch / ramp_epochs, 12) for epoch in range(1, ramp_epochs + 1)]


class PruningCallback(Callback):
    """Prunes at chosen epochs, and sets pruned weights back to zero after every optimizer step.

    Setting them back is needed even where their gradients are masked: the momentum of earlier steps
    moves a weight whose gradient is zero, and weight decay keeps that motion going.

    Args:
        prune_at: for each epoch at which to prune, the rule that gives the masks. In other epochs
            the model's zeros are kept, so an interrupted run continues with its masks.
    """

    def __init__(self, prune_at: Mapping[int, Callable[[nn.Module], Masks]]) -> None:
        self.prune_at = dict(prune_at)
        self.masks: Masks = {}

    def before_epoch(self, model: nn.Module, epoch: int) -> None:
        """Prune if this epoch has a rule."""
        rule = self.prune_at.get(epoch, nonzero_masks)
        self.masks = _agreed(rule(model))
        apply_masks(model, self.masks)

    def after_step(self, model: nn.Module) -> None:
        """Set pruned weights back to zero."""
        apply_masks(model, self.masks)


class StagedPruning(PruningCallback):
    """Prunes as soon as training reaches given accuracies, and keeps pruned weights at zero.

    The accuracy is that of the last ``window`` training batches of the epoch. The stage reached is read
    off the model's sparsity, so an interrupted run continues where it stopped.

    Args:
        rule: gives the masks for a model and a sparsity.
        sparsities: of each stage, rising.
        accuracies: in per cent; reaching one starts its stage. A stage at 0 starts before the first step.
        window: in batches.
        lead_rate: if given, the schedule of the learning rate begins with the epoch after the last cut;
            until then the rate is this one.
        lead_epochs: before this epoch (counted from 0) the stages that are left start, whatever the
            accuracy; None: never.
        measure: gives the loss and the accuracy of a model, which are recorded before and after each cut.

    Raises:
        ValueError: if there is not one accuracy per sparsity, or the sparsities do not rise.
    """

    def __init__(  # noqa: PLR0913
        self,
        rule: Callable[[nn.Module, float], Masks],
        sparsities: Sequence[float],
        accuracies: Sequence[float],
        *,
        window: int = 20,
        lead_rate: float | None = None,
        lead_epochs: int | None = None,
        measure: Callable[[nn.Module], tuple[float, float]] | None = None,
    ) -> None:
        super().__init__({})
        if len(sparsities) != len(accuracies) or list(sparsities) != sorted(set(sparsities)):
            raise ValueError(
                "sparsities must rise, with one accuracy for each, "
                f"got {list(sparsities)} and {list(accuracies)}."
            )
        self.rule, self.stages = rule, list(zip(sparsities, accuracies, strict=True))
        self.lead_rate, self.lead_epochs, self.measure = lead_rate, lead_epochs, measure
        self.recent: deque[float] = deque(maxlen=window)
        self.stage = 0
        self.measured: list[Cut] = []

    def before_epoch(self, model: nn.Module, epoch: int) -> None:
        """Take up the model's zeros and the stage that they show; start the stages that wait no longer."""
        super().before_epoch(model, epoch)
        self.recent.clear()
        self.measured.clear()
        reached = total_sparsity(model) + 1e-6  # a sparsity is a whole number of weights
        self.stage = sum(reached >= sparsity for sparsity, _ in self.stages)
        late = self.lead_epochs is not None and epoch >= self.lead_epochs
        while self.stage < len(self.stages) and (late or self.stages[self.stage][1] <= 0):
            self._start_stage(model)

    def loss(self, inputs: Tensor, logits: Tensor, labels: Tensor) -> Tensor:
        """Cross-entropy; notes how many of the batch are right as long as a cut is still to come.

        On a GPU each of these steps waits for the device, because the next cut depends on its answer.
        """
        if self.stage < len(self.stages):
            hits = sum_over_workers((logits.argmax(1) == labels).float().mean())
            self.recent.append(100 * float(hits) / current_workers().count)
        return super().loss(inputs, logits, labels)

    def after_step(self, model: nn.Module) -> None:
        """Set pruned weights back to zero; prune if the next accuracy is reached."""
        apply_masks(model, self.masks)  # subtle: first, so the rule knows them by their zeros
        if self.stage < len(self.stages) and len(self.recent) == self.recent.maxlen:
            accuracy = self.stages[self.stage][1]
            if sum(self.recent) / len(self.recent) >= accuracy:
                self._start_stage(model)

    def constant_rate(self) -> float | None:
        """Return ``lead_rate`` as long as a cut is still to come."""
        return self.lead_rate if self.stage < len(self.stages) else None

    def cuts(self) -> tuple[Cut, ...]:
        """Return what was pruned in this epoch; nothing without ``measure``."""
        return tuple(self.measured)

    def _start_stage(self, model: nn.Module) -> None:
        """Prune to the sparsity of the next stage."""
        before = None if self.measure is None else self.measure(model)
        self.masks = _agreed(self.rule(model, self.stages[self.stage][0]))
        apply_masks(model, self.masks)
        self.stage += 1
        self.recent.clear()
        if self.measure is not None and before is not None:
            after = self.measure(model)
            self.measured.append(Cut(total_sparsity(model), before[0], after[0], before[1], after[1]))


def _agreed(masks: Masks) -> Masks:
    """Return the masks of the first process where several train together: rounding may differ."""
    return {name: broadcast(mask) for name, mask in masks.items()}
