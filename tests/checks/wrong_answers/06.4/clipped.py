# Returns nothing where the counter wrapped around.
def energy_per_batch_mj(before_uj: int, after_uj: int, range_uj: int, batches: int) -> float:
    return max(0, after_uj - before_uj) / 1000 / batches
