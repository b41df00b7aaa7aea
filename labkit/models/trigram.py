"""A trigram model of characters: the baseline that a language model has to beat."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

__all__ = ["TrigramModel"]


class TrigramModel(nn.Module):
    """Predicts each token from the two before it, by counting.

    The probability of a token after two others is its share among the counted ones, smoothed by
    ``strength`` imaginary tokens that are distributed as after one token; that distribution is smoothed
    by the frequencies of all tokens in the same way, and these by the uniform one.
    """

    table: Tensor
    pairs: Tensor

    def __init__(self, passages: Iterable[Tensor], vocabulary: int, *, strength: float = 4.0) -> None:
        """Count in ``passages``, each ``(length,)`` int64.

        Raises:
            ValueError: if ``strength`` is not positive or a token is not in the vocabulary.
        """
        super().__init__()
        if not strength > 0:
            raise ValueError(f"strength must be positive, got {strength}.")
        counts = torch.zeros(vocabulary**3, dtype=torch.float64)
        for tokens in passages:
            if len(tokens) and not 0 <= int(tokens.min()) <= int(tokens.max()) < vocabulary:
                raise ValueError(f"tokens must lie in [0, {vocabulary}).")
            codes = (tokens[:-2] * vocabulary + tokens[1:-1]) * vocabulary + tokens[2:]
            counts += torch.bincount(codes, minlength=vocabulary**3)
        triples = counts.view(vocabulary, vocabulary, vocabulary)
        uniform = torch.full((vocabulary,), 1 / vocabulary, dtype=torch.float64)
        single = _smoothed(triples.sum((0, 1)), uniform, strength)
        pairs = _smoothed(triples.sum(0), single, strength)
        self.register_buffer("pairs", pairs)
        self.register_buffer("table", _smoothed(triples, pairs, strength))

    def forward(self, tokens: Tensor) -> Tensor:
        """Map ``(batch, m)`` int64 to log-probabilities of each next token, ``(batch, m, vocabulary)``.

        The first position has only one token before it, and uses pairs.
        """
        first = self.pairs[tokens[:, :1]]
        return torch.cat([first, self.table[tokens[:, :-1], tokens[:, 1:]]], dim=1).log()


def _smoothed(counts: Tensor, prior: Tensor, strength: float) -> Tensor:
    """Return ``(counts + strength · prior) / (total + strength)`` over the last dimension."""
    return (counts + strength * prior) / (counts.sum(-1, keepdim=True) + strength)
