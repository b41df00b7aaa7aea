import base64
import io

import numpy as np
import pytest
from PIL import Image

from labkit.plots import lab04 as plots
from labkit.plots.figure import FIGURE_MIME


@pytest.fixture
def shown(monkeypatch):
    """A list that collects (alt text, data) of every figure that is displayed."""
    outputs = []

    def display(bundle, *, metadata, raw):
        assert raw
        assert Image.open(io.BytesIO(base64.b64decode(bundle["image/png"]))).size[0] >= 560
        outputs.append((metadata["image/png"]["alt"], bundle[FIGURE_MIME]["data"]))

    monkeypatch.setattr("IPython.display.display", display)
    return outputs


def test_accuracy_by_bits_lists_both_curves_by_the_same_bits(shown):
    plots.plot_bits("T", {6: 92.0, 3: 70.5}, {6: 91.2}, dense=(92.5, 91.4))
    alt, data = shown[0]
    assert "92.00 % at 6 bits, 70.50 % at 3 bits; in float 92.50 %" in alt
    assert data == {"bits": [6, 3], "here (%)": [92.0, 70.5], "reference (%)": [91.2, None]}


def test_histograms_count_the_weights_of_each_shared_value(shown):
    before = {"first": np.array([[0.1, 0.2], [0.9, 1.0]])}
    plots.plot_histograms("T", before, {"first": np.array([[0.15, 0.15], [0.15, 1.0]])})
    alt, data = shown[0]
    assert data == {"first: value": [0.15, 1.0], "first: weights": [3, 1]}
    assert "4 weights from 0.10 to 1.00 become 2 values from 0.15 to 1.00" in alt


def test_matrices_show_numbers_and_words_row_by_row(shown):
    groups = np.array([[0, 1], [2, 1]])
    column = (np.array([[0.0], [0.25], [-2.0]]), np.array([[0], [1], [2]]))
    words = np.array([["0", "10"], ["11", "10"]])
    plots.plot_matrices("T", {"codebook": column, "index": (groups, groups), "word": (words, groups)})
    alt, data = shown[0]
    assert "codebook: 0.0; 0.25; -2.0. index: 0 1; 2 1. word: 0 10; 11 10." in alt
    assert data["codebook"] == ["0.0", "0.25", "-2.0"]
    assert data["word"] == ["0", "10", "11", "10"]


def test_centroids_in_the_gap_are_those_closer_to_zero_than_any_weight(shown):
    values = np.array([-1.0, -0.5, 0.4, 2.0])
    linear = (np.array([-1.0, 0.0, 0.39, 2.0]), np.array([-0.75, 0.0, 0.41, 2.0]))
    plots.plot_centroids("T", values, {"linear": linear})
    assert "linear: 2 of 4 centroids in the gap, 1 after all steps" in shown[0][0]


@pytest.mark.parametrize(
    "codes", [{0: "0", 1: "1"}, {4: "0", 2: "10", 0: "110", 1: "111"}, {s: f"{s:05b}" for s in range(32)}]
)
def test_the_tree_lists_every_word_in_order_with_its_count_and_value(shown, codes):
    counts, values = [100 + symbol for symbol in range(32)], [symbol / 4 for symbol in range(32)]
    plots.plot_tree("T", codes, counts, values)
    _, data = shown[0]
    leaves = sorted(codes, key=codes.get)
    assert data["code"] == sorted(codes.values())
    assert data["count"] == [100 + symbol for symbol in leaves]
    assert data["value"] == [symbol / 4 for symbol in leaves]


def test_code_lengths_by_layer_name_the_range_and_the_largest_gap_to_the_entropy(shown):
    figures = {"dense": [(4.5, 4.25), (3.0, 2.9)], "pruned": [(1.5, 0.5), (1.25, 1.0)]}
    plots.plot_lengths("T", ["conv1", "linear"], figures)
    alt, data = shown[0]
    assert "dense: 3.00 to 4.50 bits, at most 0.25 above the entropy" in alt
    assert "pruned: 1.25 to 1.50 bits, at most 1.00 above the entropy" in alt
    assert data["layer"] == ["conv1", "linear"]
    assert data["pruned: entropy (bits)"] == [0.5, 1.0]
