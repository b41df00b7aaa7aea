# The standard library's quantiles, which interpolate as NumPy's with method="inclusive".
import statistics


def measure_latency(run, synchronize, clock, warmup, batches):
    times = []
    for batch in range(warmup + batches):
        synchronize()
        start = clock()
        run()
        synchronize()
        if batch >= warmup:
            times.append(1e3 * (clock() - start))
    if len(times) == 1:
        return times[0], 0.0
    first, median, third = statistics.quantiles(times, n=4, method="inclusive")
    return median, third - first
