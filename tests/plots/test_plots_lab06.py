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
        "images a batch": [1, 8],
        "throughput (images/s)": [100.0, 300.0],
        "peak memory (MB)": [62.5, 70.0],
    }
    assert "1: 100 images/s, 62 MB; 8: 300 images/s, 70 MB" in shown[0]["alt"]
