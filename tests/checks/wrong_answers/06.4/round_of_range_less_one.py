# The round is one short.
def energy_per_batch_mj(before_uj: int, after_uj: int, range_uj: int, batches: int) -> float:
    return (after_uj - before_uj) % (range_uj - 1) / 1000 / batches
