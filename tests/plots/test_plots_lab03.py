import numpy as np
import torch

from labkit.plots import lab03


def test_a_histogram_counts_every_weight_and_names_the_grid_value_next_to_zero(shown):
    weights = torch.tensor([[-1.0, 0.1], [0.2, 2.0]])
    lab03.plot_grids("Claim", {"layer": (weights, torch.tensor([2.0, -1.0, 0.5]))})
    (figure,) = shown
    assert sum(figure["data"]["layer: weights"]) == 4
    assert figure["data"]["layer: grid"] == [-1.0, 0.5, 2.0]
    assert "4 weights from -1.000 to 2.000, 3 grid values, the one nearest to 0 at 0.500" in figure["alt"]


def test_a_grid_wider_than_its_weights_is_drawn_whole(shown):
    lab03.plot_grids(
        "Claim", {"a": (np.zeros(3), np.array([0.0])), "b": (np.ones(2), np.array([0.0, 3.0]))}
    )
    assert shown[0]["data"]["b: bin from"][0] == 0.0
    assert sum(shown[0]["data"]["a: weights"]) == 3


def test_accuracy_by_bits_is_sorted_and_keeps_reference_and_measurement_apart(shown):
    curves, reference = {"here": {2: 17.5, 6: 92.0}}, {"there": {4: 89.7}}
    lab03.plot_bits("Claim", curves, dense=92.0, reference=reference)
    assert shown[0]["data"] == {"here": [[2, 17.5], [6, 92.0]], "there": [[4, 89.7]]}
    assert "here: 17.5 % at 2 bits, 92.0 % at 6 bits" in shown[0]["alt"]


def test_zeros_before_and_after_are_both_in_the_alt_text(shown):
    lab03.plot_zeros("Claim", [("pruned, 2 bits", 80.0, 97.25)])
    assert shown[0]["data"]["after (%)"] == [97.25]
    assert "pruned, 2 bits: from 80.0 to 97.2 %" in shown[0]["alt"]
