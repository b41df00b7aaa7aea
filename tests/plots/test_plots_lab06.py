from labkit.plots import lab06 as plots


def test_layer_shares_name_every_layer_and_quantity(shown):
    plots.plot_layer_shares(
        "T", {"MACs": {"conv1": 60.0, "fc": 40.0}, "parameters": {"conv1": 10.0, "fc": 90.0}}
    )
    assert shown[0]["data"] == {
        "layer": ["conv1", "fc"],
        "MACs (%)": [60.0, 40.0],
        "parameters (%)": [10.0, 90.0],
    }
    assert "MACs: conv1 60.0, fc 40.0; parameters: conv1 10.0, fc 90.0" in shown[0]["alt"]


def test_latencies_name_the_median_after_the_warm_up(shown):
    plots.plot_latencies("T", [90.0, 10.0, 20.0, 30.0, 40.0, 50.0], warmup=1)
    assert shown[0]["data"] == {"batch": [1, 2, 3, 4, 5, 6], "time (ms)": [90, 10, 20, 30, 40, 50]}
    assert "the first 1 take 90.0 ms" in shown[0]["alt"]
    assert "30.0 in the median, from 20.0 to 40.0" in shown[0]["alt"]


def test_batch_sizes_are_sorted(shown):
    plots.plot_batch_sizes("T", {8: (300.0, 70.0), 1: (100.0, 62.5)})
    assert shown[0]["data"] == {
        "images per batch": [1, 8],
        "throughput (images/s)": [100.0, 300.0],
        "peak memory (MB)": [62.5, 70.0],
    }
    assert "1: 100 images/s, 62 MB; 8: 300 images/s, 70 MB" in shown[0]["alt"]


def test_the_network_names_side_and_number_of_each_layers_maps(shown):
    plots.plot_network("T", [("conv 1", 32, 64), ("linear 1", 1, 512)])
    assert shown[0]["data"] == {
        "layer": ["conv 1", "linear 1"],
        "side (pixels)": [32, 1],
        "maps": [64, 512],
    }
    assert "conv 1: 64 of 32×32, linear 1: 512 of 1×1" in shown[0]["alt"]


def test_turns_show_each_batch_at_its_place(shown):
    plots.plot_turns("T", {"in turn": [("A", 10.0), ("B", 30.0), ("A", 20.0)]})
    assert shown[0]["data"] == {
        "in turn, A: batch": [1, 3],
        "in turn, A: time (ms)": [10.0, 20.0],
        "in turn, B: batch": [2],
        "in turn, B: time (ms)": [30.0],
    }
    assert "in turn, A: median 15.0 ms" in shown[0]["alt"]


def test_nesting_names_every_call_with_its_times(shown):
    plots.plot_nesting("T", [("outer", 0, 100, 0), ("inner", 20, 80, 1)])
    assert shown[0]["data"]["end (µs)"] == [100, 80]
    assert "inner from 20 to 80 µs" in shown[0]["alt"]


def test_an_operator_that_a_run_does_not_call_has_no_share(shown):
    plots.plot_operators("T", {"a": {"aten::mm": 75.0}, "b": {"aten::mm": 50.0, "aten::add": 50.0}})
    assert shown[0]["data"] == {
        "operator": ["aten::mm", "aten::add"],
        "a (%)": [75.0, 0.0],
        "b (%)": [50.0, 50.0],
    }
    assert "a: aten::mm 75.0, aten::add 0.0" in shown[0]["alt"]


def test_memory_adds_what_is_resident_and_starts_at_time_0(shown):
    changes = [(5000.0, 2_000_000), (7000.0, -1_000_000)]
    plots.plot_memory("T", changes, {"mean": 1.5e6}, resident=1e6)
    assert shown[0]["data"] == {"time (ms)": [0.0, 2.0], "memory (MB)": [3.0, 2.0]}
    assert "at most 3.0 MB; mean 2.5 MB" in shown[0]["alt"]


def test_the_counter_has_the_reading_between_the_phases_once(shown):
    plots.plot_counter("T", [1_000_000, 2_000_000], [2_000_000, 500_000], 3_000_000)
    assert shown[0]["data"] == {"reading": [0, 1, 2], "counter (J)": [1.0, 2.0, 0.5]}
    assert "2 idle and then 1 busy: 1.0, 2.0, 0.5" in shown[0]["alt"]
