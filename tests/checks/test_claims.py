import numpy as np
import pytest
import torch

from labkit.checks import claim


@pytest.mark.parametrize("condition", [True, np.True_, torch.tensor(True), torch.tensor([1.0]) < 2])
def test_a_claim_that_holds_says_so(condition, capsys):
    claim("one is less than two", condition)
    assert capsys.readouterr().out == "holds: one is less than two\n"


@pytest.mark.parametrize("condition", [False, np.False_, float("nan") < 3, torch.tensor(3) < 2])
def test_a_claim_that_does_not_hold_says_so_without_an_error(condition, capsys):
    claim("one is more than two", condition)
    assert capsys.readouterr().out == "does not hold: one is more than two\n"


@pytest.mark.parametrize("condition", [2.4, 1, None, "yes", [], torch.tensor([True, False])])
def test_what_is_neither_true_nor_false_is_refused(condition):
    with pytest.raises(TypeError, match="True or False"):
        claim("it is so", condition)


@pytest.mark.parametrize("text", ["", " ", "two\nlines"])
def test_a_claim_is_one_line(text):
    with pytest.raises(ValueError, match="one line"):
        claim(text, True)
