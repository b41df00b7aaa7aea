import pytest
import torch

from labkit.plots import lab10 as plots
from labkit.training import EpochRecord


def records(offset, sparsities=(0.0, 0.0, 0.1, 0.1, 0.2)):
    return [
        EpochRecord(
            epoch, 1.0, 1.0, 50.0 + offset + 10 * epoch, sparsity, 1.0, train_top1=40.0 + offset + epoch
        )
        for epoch, sparsity in enumerate(sparsities)
    ]


def test_losses_keep_both_curves_and_name_the_ends_of_the_smooth_one(shown):
    plots.plot_losses("T", {"rate 1": ([3.0, 1.0, 2.0], [2.0, 2.0, 1.5])}, steps_per_epoch=2)
    assert shown[0]["data"] == {
        "rate 1: step": [0, 1, 2],
        "rate 1: loss": [3.0, 1.0, 2.0],
        "rate 1: moving average": [2.0, 2.0, 1.5],
    }
    assert "rate 1: moving average from 2.00 to 1.50 nats" in shown[0]["alt"]


def test_rates_name_the_first_and_the_last_one(shown):
    plots.plot_rates("T", {"cosine": [0.1, 0.05, 0.0], "constant": [0.1] * 3})
    assert "cosine: from 0.1 to 0" in shown[0]["alt"]
    assert shown[0]["data"]["constant"] == [0.1] * 3


def test_the_data_of_a_long_curve_holds_some_of_its_steps_and_says_which(shown):
    losses = [1 / (step + 1) for step in range(1000)]
    plots.plot_losses("T", {"long": (losses, losses)}, steps_per_epoch=100)
    data = shown[0]["data"]
    assert data["long: step"] == list(range(0, 1000, 5))
    assert data["long: loss"][1] == round(1 / 6, 6)


@pytest.mark.parametrize("train", [False, True])
def test_runs_are_means_over_seeds_and_name_the_epochs_of_the_cuts(shown, train):
    plots.plot_runs(
        "T", {"pruned": [records(0), records(2)], "dense": [records(0, (0.0,) * 5)]}, train=train
    )
    assert shown[0]["data"]["pruned: validation (%)"] == [51.0, 61.0, 71.0, 81.0, 91.0]
    assert ("pruned: training (%)" in shown[0]["data"]) is train
    assert "pruned: best 91.0 % in epoch 5, last 91.0 %, pruned before epochs 3, 5" in shown[0]["alt"]
    assert "dense: best 90.0 % in epoch 5, last 90.0 %." in shown[0]["alt"]


def test_a_cut_is_an_epoch_with_more_zeros_than_the_one_before():
    assert plots.pruning_epochs(records(0)) == [3, 5]
    assert plots.pruning_epochs(records(0, (0.1, 0.1))) == [1]


def test_leftovers_are_sorted_and_those_above_zero_counted(shown):
    plots.plot_leftovers("T", {"convolution 1": torch.tensor([0.0, 0.5, 0.25])})
    assert shown[0]["data"] == {"convolution 1": [0.5, 0.25, 0.0]}
    assert "convolution 1: 2 of 3 above 0, largest 0.50" in shown[0]["alt"]
