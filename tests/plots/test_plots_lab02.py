import pytest
import torch

from labkit.plots import lab02 as plots
from labkit.training import EpochRecord

RECORDS = [
    EpochRecord(epoch, 2.0 - epoch, 2.5 - epoch, 50.0 + 10 * epoch, 0.4 * epoch, 1.0) for epoch in range(2)
]


def test_training_names_the_first_and_the_last_loss_and_accuracy(shown):
    plots.plot_training("T", RECORDS)
    assert "from 2.00 to 1.00 nats" in shown[0]["alt"]
    assert "from 50.0 to 60.0 %" in shown[0]["alt"]
    assert shown[0]["data"]["epoch"] == [1, 2]


@pytest.mark.parametrize("zoom", [False, True])
def test_accuracy_is_sorted_by_sparsity_and_keeps_reported_points(shown, zoom):
    plots.plot_accuracy(
        "T", {"global": [(80, 90.0), (40, 92.0)]}, reference={"paper": [(60, 91.0)]}, dense=92.3, zoom=zoom
    )
    assert shown[0]["data"] == {"global": [[40, 92.0], [80, 90.0]], "paper": [[60, 91.0]]}
    assert "global: 92.0 % at 40 %, 90.0 % at 80 %" in shown[0]["alt"]


def test_layers_name_the_least_and_the_most_pruned_layer_of_each_rule(shown):
    plots.plot_layers("T", {"global": {"conv1": 10.0, "conv2": 60.0}})
    assert "global: from 10.0 % in conv1 to 60.0 % in conv2" in shown[0]["alt"]
    assert shown[0]["data"] == {"layer": ["conv1", "conv2"], "global (%)": [10.0, 60.0]}


def test_filter_norms_are_sorted_and_those_at_zero_are_counted(shown):
    weight = torch.tensor([[3.0, 4.0], [0.0, 1.0], [6.0, 8.0], [0.0, 2.0]]).view(4, 2, 1, 1)
    masks = {"conv.weight": weight > 2}
    plots.plot_filter_norms("T", {"conv.weight": weight}, masks, ["conv.weight"])
    assert shown[0]["data"] == {
        "conv.weight dense": [1.0, 2.0, 5.0, 10.0],
        "conv.weight pruned": [0.0, 0.0, 5.0, 10.0],
        "conv.weight filters pruned": [0.0, 0.0, 5.0, 10.0],
    }
    assert "50 % of its weights pruned, 2 of 4 filters at norm 0" in shown[0]["alt"]


def test_retraining_names_the_accuracy_before_and_after(shown):
    plots.plot_retraining("T", [("global", 80.0, 40.0, 91.0), ("layer", 60.0, 70.0, 90.0)], dense=92.3)
    assert "global at 80.0 %: 40.0 to 91.0 %" in shown[0]["alt"]
    assert shown[0]["data"]["after (%)"] == [91.0, 90.0]


def test_epochs_name_the_lowest_accuracy_and_its_epoch(shown):
    plots.plot_epochs("T", {"gradual": RECORDS})
    assert "gradual: lowest 50.0 % in epoch 1, last 60.0 %" in shown[0]["alt"]
    assert shown[0]["data"]["gradual: sparsity (%)"] == [0.0, 40.0]


def test_losses_have_a_panel_of_their_own_and_are_in_the_data(shown):
    plots.plot_accuracy(
        "T", {"q": [(80, 20.0), (0, 92.0)]}, dense=92.0, losses={"q": [(80, 5.0), (0, 0.3)]}
    )
    assert shown[0]["data"]["q: loss"] == [[0, 0.3], [80, 5.0]]


def test_the_network_has_one_square_per_layer_with_its_number_of_weights(shown):
    plots.plot_network("T", {"conv1.weight": torch.ones(2, 3), "layer1.0.weight": torch.ones(40, 30)})
    assert shown[0]["data"] == {"layer": ["conv1.weight", "layer1.0.weight"], "weights": [6, 1200]}
    assert "6 to 1,200 weights, 1,206 in all" in shown[0]["alt"]


def test_verdicts_count_the_wrong_answers_of_each_network(shown):
    images, labels = torch.zeros(3, 3, 4, 4, dtype=torch.uint8), torch.tensor([0, 1, 2])
    plots.plot_verdicts("T", images, labels, {"dense": labels, "pruned": torch.tensor([0, 0, 0])})
    assert "dense 0 wrong, pruned 2 wrong" in shown[0]["alt"]
    assert shown[0]["data"]["pruned"] == [0, 0, 0]
