import torch

from labkit.plots import lab12 as plots


def test_matrices_are_described_by_size_range_and_changes_of_sign(shown):
    matrix = torch.tensor([[1.0, -1.0, 2.0], [0.5, 0.0, -3.0]])
    plots.plot_matrices("T", {"A": matrix}, {"A": ("column", "row")})
    assert "A: 2 rows, 3 columns, values from -3.00 to 2.00" in shown[0]["alt"]
    assert "first row has 2 changes of sign, the first column 0" in shown[0]["alt"]
    assert shown[0]["data"]["A, row 0"] == [1.0, -1.0, 2.0]


def test_attention_maps_name_the_key_that_each_query_looks_at(shown):
    weights = torch.tensor([[[0.1, 0.9], [0.8, 0.2]], [[0.6, 0.4], [0.5, 0.5]]])
    plots.plot_attention_maps("T", {"layer 1": weights}, "ab", "xy")
    assert "layer 1, head 1: a at y, b at x" in shown[0]["alt"]
    assert shown[0]["data"]["layer 1, head 2: most seen key"] == [0, 0]


def test_curves_in_panels_name_every_point(shown):
    panels = {"P": {"c": [(1, 2.0), (2, 3.5)]}, "Q": {"d": [(4, 1.0)]}}
    plots.plot_curves("T", panels, "bits | zeros (%)", "loss", spans={"P": (1, 2)}, zero=True)
    assert "P: c: 1: 2, 2: 3.5; Q: d: 4: 1" in shown[0]["alt"]
    assert shown[0]["data"]["Q: d, zeros (%)"] == [4]


def test_costs_name_products_macs_and_time(shown):
    plots.plot_costs("T", [("per head", 100, 2.0, 3.0), ("fused", 20, 2.0, 1.0)])
    assert "per head: 100 products, 2 million MACs, 3 ms" in shown[0]["alt"]
    assert shown[0]["data"]["time (ms)"] == [3.0, 1.0]
