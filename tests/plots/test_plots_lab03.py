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


def test_a_worked_example_shows_levels_and_what_they_stand_for(shown):
    lab03.plot_worked_example("Title", [[-1.2, 0.0], [0.4, 1.8]], bits=2)
    (figure,) = shown
    assert figure["data"]["levels (2 bits)"] == [0, 1, 2, 3]
    np.testing.assert_allclose(figure["data"]["scale · level + shift"], [-1.2, -0.2, 0.8, 1.8])
    assert "-1.2 -0.2; 0.8 1.8" in figure["alt"]


def test_every_entry_of_a_tensor_is_in_the_alt_text(shown):
    lab03.plot_tensors("Title", {"zeros": torch.zeros(1, 2), "levels": [[3, -1]], "halves": [[0.5, 10.25]]})
    assert "zeros: 0 0. levels: 3 -1. halves: 0.5 10.25." in shown[0]["alt"]
    assert shown[0]["data"]["levels"] == [3, -1]


def test_rounding_is_drawn_level_beyond_its_ends(shown):
    lab03.plot_rounding("Title", lowest=-1, highest=2)
    data = shown[0]["data"]
    assert (data["rounded"][0], data["rounded"][-1]) == (-1.0, 2.0)
    assert (data["clipped"][0], data["clipped"][-1], max(data["clipped"])) == (0.0, 0.0, 1.0)


def test_ranges_of_filters_are_those_of_the_first_dimension(shown):
    lab03.plot_filter_ranges("Title", torch.tensor([[[-1.0, 2.0]], [[0.25, 0.5]]]))
    assert shown[0]["data"]["smallest"] == [-1.0, 0.25]
    assert shown[0]["data"]["largest"] == [2.0, 0.5]
    assert "2 filters; the tensor spans -1.00 to 2.00" in shown[0]["alt"]
    assert "narrowest filter spans 0.25" in shown[0]["alt"]
