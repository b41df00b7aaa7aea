# Forgets that the counter wraps around.
def energy_per_batch_mj(before_uj: int, after_uj: int, range_uj: int, batches: int) -> float:
    return (after_uj - before_uj) / 1000 / batches
