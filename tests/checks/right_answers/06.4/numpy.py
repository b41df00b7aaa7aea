# NumPy's mod has the sign of the divisor too.
def energy_per_batch_mj(before_uj, after_uj, range_uj, batches):
    return np.divide(np.mod(np.int64(after_uj) - np.int64(before_uj), range_uj), batches) / 1000.0
