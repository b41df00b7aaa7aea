# The reading after one batch is the reading before the next: nothing runs between them.
def measure_latency(run, synchronize, clock, warmup, batches):
    for _ in range(warmup):
        run()
    synchronize()
    readings = [clock()]
    for _ in range(batches):
        run()
        synchronize()
        readings.append(clock())
    times = np.diff(readings) * 1000
    return np.median(times), np.percentile(times, 75) - np.percentile(times, 25)
