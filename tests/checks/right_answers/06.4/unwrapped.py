# Raises all later readings by the range at each pass.
def energy_per_batch_mj(idle_uj, idle_s, busy_uj, busy_s, range_uj, batches):
    def spent(readings):
        added, last = 0, readings[0]
        for reading in readings[1:]:
            if reading < last:
                added += range_uj
            last = reading
        return readings[-1] + added - readings[0]

    watts = spent(idle_uj) / 1e6 / idle_s
    return (spent(busy_uj) / 1e6 - watts * busy_s) * 1000 / batches
