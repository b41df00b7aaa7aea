# One pass, one change at a time.
def memory_use(changes):
    peak = now = total = area = 0
    last = changes[0][0]
    for when, size in changes:
        area += now * (when - last)
        now += size
        last = when
        total += now
        peak = max(peak, now)
    return peak, total / len(changes), area / (last - changes[0][0])
