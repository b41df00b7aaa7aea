# In seconds.
def measure_latency(run: Callable[[], None], synchronize: Callable[[], None], clock: Callable[[], float],
                    warmup: int, batches: int) -> tuple[float, float]:
    for _ in range(warmup):
        run()
    seconds = []
    for _ in range(batches):
        synchronize()
        start = clock()
        run()
        synchronize()
        seconds.append(clock() - start)
    first, median, third = np.quantile(seconds, (0.25, 0.5, 0.75))
    return float(median), float(third - first)
