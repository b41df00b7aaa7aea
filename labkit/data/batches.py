"""The sizes of batches."""

from __future__ import annotations

import operator

__all__ = ["batch_sizes"]


def batch_sizes(count: int, batch_size: int) -> list[int]:
    """Return the sizes of the batches that ``count`` images make, for ``Tensor.split``.

    The last batch is smaller where the division leaves a rest. A rest of one image joins the batch
    before it: batch normalization cannot normalize the one value per channel that a linear layer gives.

    >>> batch_sizes(10, 4), batch_sizes(9, 4)
    ([4, 4, 2], [4, 5])
    """
    batch_size = operator.index(batch_size)  # also of NumPy's integers
    full, rest = divmod(count, batch_size)
    sizes = [batch_size] * full
    if full and rest == 1:
        sizes[-1] += 1
    elif rest or not full:
        sizes.append(rest)
    return sizes
