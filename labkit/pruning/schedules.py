"""When to prune: the sparsity of each epoch, and the callback that prunes and keeps zeros at zero.

Leaves out: which weights go (magnitude).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import nn

from labkit.pruning.magnitude import Masks, apply_masks, nonzero_masks
from labkit.training import Callback

__all__ = ["MaskKeeper", "linear_ramp"]


def linear_ramp(target: float, ramp_epochs: int) -> list[float]:
    """Sparsities that rise by equal amounts to ``target`` over ``ramp_epochs`` epochs.

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


class MaskKeeper(Callback):
    """Prunes at chosen epochs, and sets pruned weights back to zero after every optimizer step.

    Setting them back is needed even where their gradients are masked: the momentum of earlier steps
    moves a weight whose gradient is zero, and weight decay keeps that motion going.

    Args:
        prune_at: for each epoch at which to prune, the rule that gives the masks. In other epochs
            the model's own zeros are kept, so that an interrupted run continues with its masks.
    """

    def __init__(self, prune_at: Mapping[int, Callable[[nn.Module], Masks]]) -> None:
        self.prune_at = dict(prune_at)
        self.masks: Masks = {}

    def before_epoch(self, model: nn.Module, epoch: int) -> None:
        """Prune if this epoch has a rule."""
        rule = self.prune_at.get(epoch, nonzero_masks)
        self.masks = rule(model)
        apply_masks(model, self.masks)

    def after_step(self, model: nn.Module) -> None:
        """Set pruned weights back to zero."""
        apply_masks(model, self.masks)
