from labkit.plots import lab05 as plots


def test_ratios_name_every_network_and_way(shown):
    plots.plot_ratios("T", {"a": {"formula": 20.67, "file": 12.0}, "b": {"formula": 80.0, "file": 45.5}})
    (figure,) = shown
    assert figure["data"] == {"network": ["a", "b"], "formula": [20.67, 80.0], "file": [12.0, 45.5]}
    assert "b: 80.0 by formula, 45.5 by file" in figure["alt"]


def test_a_part_that_one_file_lacks_counts_as_no_bytes(shown):
    plots.plot_ledger("T", {"x": {"mask": 30, "header": 4}, "y": {"mask": 10, "codebooks": 2}})
    assert shown[0]["data"] == {
        "file": ["x", "y"],
        "mask (bytes)": [30, 10],
        "header (bytes)": [4, 0],
        "codebooks (bytes)": [0, 2],
    }
    assert "x, 34 bytes: mask 30, header 4; y, 12 bytes" in shown[0]["alt"]


def test_the_front_holds_only_points_that_none_beats(shown):
    networks = {"n": {16: (300.0, 91.0), 4: (100.0, 80.0)}, "m": {4: (200.0, 79.0)}}
    plots.plot_front("T", networks, dense=92.3, marked={"best": (90.0, 90.5)})
    assert shown[0]["data"]["front (bytes)"] == [90.0, 300.0]
    assert shown[0]["data"]["n: values"] == [4, 16]
    assert "90.5 % at 90 bytes, 91.0 % at 300 bytes; dense 92.3 %" in shown[0]["alt"]


def test_the_pipeline_shows_a_question_mark_for_a_size_that_is_not_known(shown):
    plots.plot_pipeline("T", "dense\nnetwork", {"prune": 430_650.0, "file": None}, first=1_084_392.0)
    assert shown[0]["data"] == {
        "stage": ["dense network", "prune", "file"],
        "bytes": [1084390.0, 430650.0, None],
    }
    assert "dense network: 1,084.4 kB, prune: 430.6 kB, file: ? kB" in shown[0]["alt"]
