from labkit.plots import lab07 as plots


def test_every_layer_of_every_panel_is_a_series_and_the_ends_are_spoken(shown):
    panels = {
        "ten": ([0, 50, 90], {"conv1": [0.3, 0.4, 2.0], "conv2": [0.3, 0.3, 0.5]}),
        "hundred": ([0, 90], {"conv1": [1.0, 5.25], "conv2": [1.0, 1.5]}),
    }
    plots.plot_curves("T", panels)
    (figure,) = shown
    assert figure["data"] == {
        "ten: sparsity (%)": [0, 50, 90],
        "ten: conv1": [0.3, 0.4, 2.0],
        "ten: conv2": [0.3, 0.3, 0.5],
        "hundred: sparsity (%)": [0, 90],
        "hundred: conv1": [1.0, 5.25],
        "hundred: conv2": [1.0, 1.5],
    }
    assert "ten at 90 % zeros: from 0.50 (conv2) to 2.00 (conv1)" in figure["alt"]
    assert "hundred at 90 % zeros: from 1.50 (conv2) to 5.25 (conv1)" in figure["alt"]


def test_choices_name_every_way_and_its_range(shown):
    plots.plot_choices("T", {"hand": {"a": 50.0, "b": 90.0}, "greedy": {"a": 10.0, "b": 98.0}})
    assert shown[0]["data"] == {"layer": ["a", "b"], "hand (%)": [50.0, 90.0], "greedy (%)": [10.0, 98.0]}
    assert "hand: 50 to 90 %; greedy: 10 to 98 %" in shown[0]["alt"]


def test_storage_shows_formulas_and_measurements(shown):
    plots.plot_storage("T", [0, 90], {"dense": [60.0, 60.0]}, measured={"file": (90.0, 4.25)})
    assert shown[0]["data"] == {
        "sparsity (%)": [0, 90],
        "dense (MB)": [60.0, 60.0],
        "file (%, MB)": [90.0, 4.25],
    }
    assert "dense: 60.0 to 60.0 MB; measured file: 4.2 MB at 90 %" in shown[0]["alt"]


def test_times_are_drawn_against_what_is_kept_and_the_ends_are_spoken(shown):
    plots.plot_times("T", [50.0, 99.5], {"dense": [2.0, 2.5], "sparse": [30.0, 0.125]})
    assert shown[0]["data"] == {
        "sparsity (%)": [50.0, 99.5],
        "dense (ms)": [2.0, 2.5],
        "sparse (ms)": [30.0, 0.125],
    }
    assert "From 50 to 99.5 % zeros: dense: 2 to 2.5 ms; sparse: 30 to 0.125 ms" in shown[0]["alt"]
