# Sees at most one pass through 0.
def energy_per_batch_mj(idle_uj, idle_s, busy_uj, busy_s, range_uj, batches):
    busy = (busy_uj[-1] - busy_uj[0]) % range_uj
    idle = (idle_uj[-1] - idle_uj[0]) % range_uj
    return (busy - idle * busy_s / idle_s) / 1000 / batches
