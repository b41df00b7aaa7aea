# With NumPy.
def memory_use(changes):
    times, sizes = np.array(changes, dtype=float).T
    held = sizes.cumsum()
    return held.max(), held.mean(), np.average(held[:-1], weights=np.diff(times))
