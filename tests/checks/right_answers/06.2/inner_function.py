# An inner function measures one batch; the warm-up measures too, and forgets.
def measure_latency(run, synchronize, clock, warmup, batches):
    def once():
        synchronize()
        start = clock()
        run()
        synchronize()
        return clock() - start

    [once() for _ in range(warmup)]
    times = torch.tensor([once() for _ in range(batches)], dtype=torch.float64)
    first, median, third = torch.quantile(times, torch.tensor([0.25, 0.5, 0.75], dtype=torch.float64)).tolist()
    return median * 1000, (third - first) * 1000
