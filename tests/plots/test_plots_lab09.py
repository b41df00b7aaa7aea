from labkit.plots import lab09 as plots


def test_a_path_leaves_out_alpha_0_which_a_logarithmic_axis_cannot_show(shown):
    plots.plot_path("T", [3.0, 1.0, 0.5, 0.0], [0, 1, 3, 4], {"He et al.": (0.7, 2)})
    (figure,) = shown
    assert figure["data"] == {"alpha": [3.0, 1.0, 0.5], "channels": [0, 1, 3], "He et al.": [0.7, 2]}
    assert figure["alt"] == "T. From 0 to 3 channels in 3 steps; He et al.: 2 channels."


def test_errors_are_named_at_the_middle_number_of_channels(shown):
    rules = {"lasso": {64: 2.0, 32: 9.0, 96: 0.5}, "random": {32: 40.0, 64: 21.0, 96: 8.0}}
    plots.plot_errors("T", {"first": rules, "second": rules})
    (figure,) = shown
    assert figure["data"]["first: channels"] == [32, 64, 96]
    assert figure["data"]["second, random (%)"] == [40.0, 21.0, 8.0]
    assert "first, 64 channels: lasso 2.0 %, random 21.0 %; second" in figure["alt"]


def test_gains_name_every_network_and_quantity(shown):
    gains = {"channels": {"MACs": 3.53, "latency": 2.9}, "sparse": {"MACs": 1.0, "latency": 0.98}}
    plots.plot_gains("T", gains)
    (figure,) = shown
    assert figure["data"]["sparse"] == [1.0, 0.98]
    assert figure["data"]["quantity"] == ["MACs", "latency"]
    assert "channels: MACs 3.5, latency 2.9" in figure["alt"]


def test_costs_have_a_line_for_each_method_through_its_networks(shown):
    methods = {
        "dense": {"dense": {"top-1 (%)": 91.0, "size (MB)": 61.0, "MACs (M)": 314.0}},
        "cut": {
            "twice": {"top-1 (%)": 90.0, "size (MB)": 11.0, "MACs (M)": 157.0},
            "often": {"top-1 (%)": 70.0, "size (MB)": 1.25, "MACs (M)": 3.1},
        },
        "of other data": {},
    }
    plots.plot_costs("T", methods, accuracy="top-1 (%)", costs=["size (MB)", "MACs (M)"])
    (figure,) = shown
    assert figure["data"]["network"] == ["dense", "twice", "often"]
    assert figure["data"]["size (MB)"] == [61.0, 11.0, 1.25]
    assert "often: top-1 (%) 70, size (MB) 1.25, MACs (M) 3.1." in figure["alt"]


def test_lines_may_have_their_points_at_different_places(shown):
    plots.plot_lines(
        "T", {"ten": {45.0: 84.5, 22.0: 81.0}, "hundred": {88.0: 70.0}}, xlabel="MACs", ylabel="top-1"
    )
    (figure,) = shown
    assert figure["data"]["ten: MACs"] == [22.0, 45.0]
    assert figure["data"]["ten: top-1"] == [81.0, 84.5]
    assert figure["alt"] == "T. top-1 by MACs. ten: 81 at 22, 84.5 at 45; hundred: 70 at 88."
