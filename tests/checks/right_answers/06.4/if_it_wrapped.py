# Adds the range where the difference is negative.
def energy_per_batch_mj(before_uj, after_uj, range_uj, batches):
    spent = after_uj - before_uj
    if spent < 0:
        spent += range_uj
    return spent / (1000 * batches)
