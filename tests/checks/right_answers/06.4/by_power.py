# Power above idle times the time of a batch.
def energy_per_batch_mj(idle_uj, idle_s, busy_uj, busy_s, range_uj, batches):
    def microwatts(readings, seconds):
        steps = [b - a if b >= a else b + range_uj - a for a, b in zip(readings, readings[1:])]
        return sum(steps) / seconds

    above = microwatts(busy_uj, busy_s) - microwatts(idle_uj, idle_s)
    return 1e-3 * above * (busy_s / batches)
