import torch

from labkit.plots import diagrams


def test_tensors_show_their_rows_and_count_their_zeros(shown):
    weights = torch.tensor([[1.0, -2.0], [0.0, 3.0]])
    diagrams.plot_tensors("T", {"w": weights, "m": weights > 0})
    assert shown[0]["data"]["w, row 0"] == [1.0, -2.0]
    assert shown[0]["data"]["m, row 1"] == [False, True]
    assert "w: 1 of 4; m: 2 of 4" in shown[0]["alt"]


def test_steps_are_told_in_order_with_the_way_back(shown):
    diagrams.plot_steps("T", ["train\nit", "prune", "measure"], back=(2, 1, "again"))
    assert "train it → prune → measure; from 'measure' back to 'prune': again" in shown[0]["alt"]
    assert shown[0]["data"]["step"] == ["train it", "prune", "measure"]


def test_steps_without_a_way_back_end_at_the_last(shown):
    diagrams.plot_steps("T", ["a", "b"])
    assert shown[0]["alt"] == "T. a → b."
