# NumPy's mod has the sign of the divisor too.
def energy_per_batch_mj(idle_uj, idle_s, busy_uj, busy_s, range_uj, batches):
    busy, idle = (np.mod(np.diff(np.array(r, dtype=np.int64)), range_uj).sum() for r in (busy_uj, idle_uj))
    return (busy - idle / idle_s * busy_s) / batches / 1000.0
