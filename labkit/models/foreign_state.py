"""State dicts as other training scripts save them: wrapped in a checkpoint, with a prefix on every name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

__all__ = ["plain_state"]

WRAPPERS = ("state_dict", "model_state_dict", "model_state", "model", "net")
PREFIXES = ("module.", "_orig_mod.")  # of DataParallel and of torch.compile


def plain_state(checkpoint: Mapping[str, Any]) -> dict[str, Tensor]:
    """Return the state dict inside ``checkpoint``, without the prefixes of DataParallel and torch.compile.

    Args:
        checkpoint: a state dict, or a dict that holds one beside the epoch, the optimizer and the like.

    >>> import torch
    >>> plain_state({"epoch": 3, "state_dict": {"module.fc.bias": torch.zeros(1)}})
    {'fc.bias': tensor([0.])}
    """
    inner = [checkpoint[key] for key in WRAPPERS if isinstance(checkpoint.get(key), Mapping)]
    state = dict(inner[0] if inner else checkpoint)
    while prefix := _common_prefix(state):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def _common_prefix(state: Mapping[str, Tensor]) -> str:
    """Return the prefix that every name has, or nothing."""
    for prefix in PREFIXES:
        if state and all(name.startswith(prefix) for name in state):
            return prefix
    return ""
