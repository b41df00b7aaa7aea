# Subtracts the energy of the idle phase, however long it was.
def energy_per_batch_mj(idle_uj, idle_s, busy_uj, busy_s, range_uj, batches):
    def spent(readings):
        return sum((b - a) % range_uj for a, b in zip(readings, readings[1:]))

    return (spent(busy_uj) - spent(idle_uj)) / 1000 / batches
