import math

import pytest
import torch

from labkit.models import TrigramModel


def test_probabilities_are_the_smoothed_counts():
    model = TrigramModel([torch.tensor([0, 1, 0, 1, 1])], 2, strength=2.0)
    # Last tokens of the triples 010, 101, 011: 0 once, 1 twice; smoothed by a uniform distribution.
    single = [(1 + 1) / 5, (2 + 1) / 5]
    after_one = [(1 + 2 * single[0]) / 4, (1 + 2 * single[1]) / 4]
    expected = (1 + 2 * after_one[1]) / (2 + 2)  # after 0, 1 came 0 and 1, once each
    got = model(torch.tensor([[0, 1]])).exp()
    assert got[0, 1, 1].item() == pytest.approx(expected)
    assert got[0, 0].sum().item() == pytest.approx(1)


def test_every_distribution_sums_to_one_also_after_what_never_occurred():
    model = TrigramModel([torch.tensor([0, 1, 2, 0, 1])], 5)
    every = torch.cartesian_prod(torch.arange(5), torch.arange(5))
    totals = model(every).exp().sum(-1)
    torch.testing.assert_close(totals, torch.ones_like(totals))
    assert math.isfinite(model(every).min().item())


def test_bad_arguments_are_refused():
    with pytest.raises(ValueError, match="strength"):
        TrigramModel([torch.tensor([0, 1, 0])], 2, strength=0.0)
    with pytest.raises(ValueError, match="0, 2"):
        TrigramModel([torch.tensor([0, 1, 2])], 2)
