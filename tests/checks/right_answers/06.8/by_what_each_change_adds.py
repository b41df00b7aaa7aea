# Each change counts from its time to the end.
def memory_use(changes):
    import itertools

    held = list(itertools.accumulate(size for _, size in changes))
    start, end = changes[0][0], changes[-1][0]
    area = sum(size * (end - when) for when, size in changes)
    return max(held), float(np.mean(held)), area / (end - start)
