from labkit.plots import lab11 as plots


def test_each_way_has_a_curve_over_the_epochs_given(shown):
    plots.plot_transfer("Accuracy by epoch", {"frozen": [40.0, 52.25], "full": [61.5, 70.0]}, (1, 8))
    (figure,) = shown
    assert (
        "frozen: 40.0 after epoch 1, 52.2 after 8; full: 61.5 after epoch 1, 70.0 after 8" in figure["alt"]
    )
    assert figure["data"]["frozen: epoch"] == [1, 8]
    assert figure["data"]["full: validation accuracy (%)"] == [61.5, 70.0]


def test_a_sweep_is_told_from_few_parameters_to_many(shown):
    plots.plot_costs("Accuracy by cost", {"LoRA": {4_000: 70.0, 1_000: 60.0}, "full": {700_000: 80.0}})
    (figure,) = shown
    assert "LoRA: 60.0 with 1,000, 70.0 with 4,000; full: 80.0 with 700,000" in figure["alt"]
    assert figure["data"]["LoRA: trained"] == [1_000, 4_000]
