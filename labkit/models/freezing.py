"""Which parameters of a network train, and which stay as they are, batch-norm statistics included."""

from __future__ import annotations

import re
from collections.abc import Collection

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

__all__ = ["count_trainable", "freeze_batch_norm", "train_only"]


class FixedBatchNorm2d(nn.BatchNorm2d):
    """Batch normalization that stays in evaluation mode, so its running statistics never move."""

    def train(self, mode: bool = True) -> FixedBatchNorm2d:  # noqa: ARG002
        """Leave the module in evaluation mode."""
        super().train(False)
        return self


def train_only(model: nn.Module, trained: str) -> nn.Module:
    """Freeze, in place, every parameter whose name does not match, and the statistics of batch norm.

    In training mode batch normalization moves its running mean and variance, whether or not its parameters
    require a gradient. So where the whole backbone is to stay, its batch norm stays in evaluation mode.

    Args:
        model: any network.
        trained: a regular expression that the whole name of a parameter must match to train, such as
            ``r"fc\\..*"``; one that matches nothing is refused.

    Returns:
        ``model`` itself.

    Raises:
        ValueError: if no parameter matches.

    >>> model = train_only(nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Conv2d(8, 2, 1)), r"2\\..*")
    >>> count_trainable(model), model.train()[1].training
    (18, False)
    """
    names = [name for name, _ in model.named_parameters() if re.fullmatch(trained, name)]
    if not names:
        raise ValueError(f"no parameter's name matches {trained!r}, so nothing would be trained.")
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in names)
    freeze_batch_norm(model)
    return model


def freeze_batch_norm(model: nn.Module, *, spared: Collection[str] = ()) -> None:
    """Replace, in place, each batch normalization by one that stays in evaluation mode.

    The state dict keeps its names. Modules named in ``spared`` stay as they are.

    Raises:
        ValueError: if ``model`` itself is a batch normalization, or one is not of two dimensions.
    """
    for name, module in list(model.named_modules()):
        if not isinstance(module, _BatchNorm) or isinstance(module, FixedBatchNorm2d) or name in spared:
            continue
        if type(module) is not nn.BatchNorm2d or not name:
            raise ValueError(f"{name or 'the model'} ({type(module).__name__}) cannot be kept fixed.")
        parent, _, child = name.rpartition(".")
        setattr(model.get_submodule(parent), child, _fixed(module))


def count_trainable(model: nn.Module) -> int:
    """Return how many numbers training would change; a parameter used twice counts once."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)


def _fixed(module: nn.BatchNorm2d) -> FixedBatchNorm2d:
    """Return the module's twin, which holds the same parameters and buffers."""
    twin = FixedBatchNorm2d(module.num_features, eps=module.eps, momentum=module.momentum)
    twin._parameters, twin._buffers = module._parameters, module._buffers
    twin.affine, twin.track_running_stats = module.affine, module.track_running_stats
    return twin.train(False)
