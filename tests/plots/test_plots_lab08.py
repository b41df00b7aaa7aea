from dataclasses import replace

from labkit.plots import lab08 as plots
from labkit.training import Cut, EpochRecord


def records(sparsities, *, accuracy=30.0):
    return [
        EpochRecord(epoch, 2.0 - epoch / 10, 2.1, accuracy + epoch, sparsity, 60.0)
        for epoch, sparsity in enumerate(sparsities)
    ]


def test_stages_mark_the_epochs_in_which_weights_were_pruned(shown):
    runs = {"ten": records([0.0, 0.45, 0.45, 0.9]), "hundred": records([0.45, 0.9, 0.9])}
    plots.plot_stages("T", runs)
    (figure,) = shown
    assert figure["data"]["ten: pruned in epoch"] == [2, 4]
    assert figure["data"]["hundred: pruned in epoch"] == [1, 2]
    assert figure["data"]["ten: sparsity (%)"] == [0.0, 45.0, 45.0, 90.0]
    assert figure["data"]["ten: loss (nats)"] == [2.0, 1.9, 1.8, 1.7]
    assert figure["data"]["hundred: accuracy (%)"] == [30.0, 31.0, 32.0]
    assert "ten: pruned in epochs 2, 4, last 33.0 % accuracy at 90.0 % sparsity" in figure["alt"]


def test_a_run_that_never_prunes_has_no_marked_epochs(shown):
    plots.plot_stages("T", {"a": records([0.0, 0.0])})
    assert shown[0]["data"]["a: pruned in epoch"] == []
    assert "pruned in epochs none" in shown[0]["alt"]


def test_single_weights_that_happen_to_be_zero_do_not_count_as_pruning():
    assert plots.pruning_epochs(records([0.0, 1e-6, 0.45, 0.45, 0.450001])) == [3]
    assert plots.pruning_epochs([]) == []


def test_kept_counts_keep_an_empty_layer_in_the_data(shown):
    rules = {"a": {"conv": 40, "linear": 2}, "b": {"conv": 50, "linear": 0}}
    plots.plot_kept("T", rules)
    assert shown[0]["data"] == {"layer": ["conv", "linear"], "a": [40, 2], "b": [50, 0]}
    assert "b: from 0 in linear to 50 in conv" in shown[0]["alt"]


def test_cuts_are_shown_before_and_after(shown):
    cuts = {"a": [Cut(0.5, 1.0, 2.0, 50.0, 9.0), Cut(0.7, 0.5, 0.75, 80.0, 70.0)], "b": []}
    plots.plot_cuts("T", cuts)
    (figure,) = shown
    assert figure["data"]["a: accuracy (%) before"] == [50.0, 80.0]
    assert figure["data"]["a: accuracy (%) after"] == [9.0, 70.0]
    assert figure["data"]["a: loss (nats) after"] == [2.0, 0.75]
    assert figure["data"]["b: loss (nats) after"] == []
    assert "a: 50 to 9 %, 80 to 70 %" in figure["alt"]


def test_arms_are_averaged_after_their_last_cut(shown):
    runs = [records([0.5, 0.5]), records([0.0, 0.5, 0.5], accuracy=40.0)]
    runs[1][0] = replace(runs[1][0], lead=True)
    plots.plot_arms("T", {"staged": {"a": runs}, "once": {"a": runs[:1]}})
    (figure,) = shown
    assert figure["data"]["staged, a: mean (%)"] == [35.5, 36.5]
    assert figure["data"]["staged, a: epochs before the last cut"] == [0, 1]
    assert "once, a: 31.0 %" in figure["alt"]


def test_flow_is_drawn_by_rising_sparsity(shown):
    plots.plot_flow("T", {"grasp": {90: 0.5, 10: 2.0}, "random": {10: 0.9, 90: 0.01}}, unit="norm")
    assert shown[0]["data"] == {"sparsity (%)": [10, 90], "grasp": [2.0, 0.5], "random": [0.9, 0.01]}
    assert "random: 0.9 at 10 %, 0.01 at 90 %" in shown[0]["alt"]


def test_rules_show_the_mean_and_every_seed(shown):
    plots.plot_rules("T", {"grasp": [80.0, 90.0], "random": [10.0, 11.0]}, dense=98.5)
    data = shown[0]["data"]
    assert data["mean (%)"] == [85.0, 10.5]
    assert data["seeds (%)"] == ["80.0, 90.0", "10.0, 11.0"]
    assert "grasp 85.0 %, random 10.5 %; not pruned 98.5 %" in shown[0]["alt"]
