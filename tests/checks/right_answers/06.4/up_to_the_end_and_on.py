# What was left up to the range, and what came after.
def energy_per_batch_mj(before_uj, after_uj, range_uj, batches):
    if after_uj >= before_uj:
        return 1e-3 * (after_uj - before_uj) / batches
    return 1e-3 * ((range_uj - before_uj) + after_uj) / batches
