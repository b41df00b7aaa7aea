# The formulas, multiplied out.
def derived_counts(N, h, T):
    return dict(zip(
        ["per head", "batched", "packed", "fused", "decoder only", "decoding", "cached"],
        [N * (15 * h + 7) + 1, 22 * N + 1, 17 * N + 1, 11 * N + 1, 5 * h * N + 3 * N + 1,
         N * (5 * h + 3) + T * (N * (10 * h + 4) + 1), 7 * h * N + 3 * N + 8 * h * N * T + 4 * N * T + T],
    ))
