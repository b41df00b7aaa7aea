"""Count the matrix multiplications that a block of code asks PyTorch for, and their multiply-accumulates.

A dispatch mode sees every operator after PyTorch has taken composite ones apart: a linear layer arrives as
``addmm``, ``x @ y`` as ``mm`` or ``bmm``. Fused attention arrives as one operator and is counted apart.
Leaves out: convolutions (:mod:`labkit.profiling.macs`), and the backward pass of fused attention.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

__all__ = ["MatmulCounter", "count_matmuls"]

FUSED = "scaled_dot_product"
# Which two arguments of an operator are multiplied.
FACTORS = {
    **dict.fromkeys(("mm", "bmm", "mv", "dot"), (0, 1)),
    **dict.fromkeys(("addmm", "baddbmm", "addbmm", "addmv"), (1, 2)),
}


class MatmulCounter(TorchDispatchMode):
    """Within ``with MatmulCounter() as counter:`` every matrix multiplication is counted.

    Attributes:
        calls: how often each operator was called, such as ``{"addmm": 12, "bmm": 4}``.
        macs: multiply-accumulates, those inside fused attention included (both of its products).

    >>> with MatmulCounter() as counter:
    ...     y = torch.ones(2, 3) @ torch.ones(3, 4)
    >>> counter.products, counter.fused, counter.macs
    (1, 0, 24)
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.calls: Counter[str] = Counter()
        self.macs = 0

    @property
    def products(self) -> int:
        """The number of matrix multiplications that are operators of their own."""
        return sum(count for name, count in self.calls.items() if FUSED not in name)

    @property
    def fused(self) -> int:
        """The number of fused attentions, each of which holds two products."""
        return sum(count for name, count in self.calls.items() if FUSED in name)

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Count one operator and compute it."""
        name = func._schema.name.removeprefix("aten::")
        options = dict(kwargs or {})
        if name not in FACTORS and FUSED not in name:
            # subtle: in inference mode composite operators, such as linear, are still in one piece here.
            with self:
                parts = func.decompose(*args, **options)
            if parts is not NotImplemented:
                return parts
        elif FUSED in name and "backward" not in name:
            self.calls[name] += 1
            queries, keys, values = args[:3]
            self.macs += queries.numel() * keys.shape[-2]
            self.macs += queries.numel() // queries.shape[-1] * keys.shape[-2] * values.shape[-1]
        elif name in FACTORS:
            self.calls[name] += 1
            self.macs += _macs(*(args[index] for index in FACTORS[name]))
        return func(*args, **options)


@torch.no_grad()
def count_matmuls(model: nn.Module | Callable[..., Any], *inputs: Any) -> MatmulCounter:
    """Call ``model(*inputs)`` without gradients and return what it multiplied.

    >>> count_matmuls(nn.Linear(3, 4), torch.ones(2, 3)).calls
    Counter({'addmm': 1})
    """
    with MatmulCounter() as counter:
        model(*inputs)
    return counter


def _macs(left: Tensor, right: Tensor) -> int:
    """Return the multiply-accumulates of a product ``(…, n, k) @ (…, k, m)``, or with a vector ``(k,)``."""
    return left.numel() * (right.shape[-1] if right.ndim > 1 else 1)
