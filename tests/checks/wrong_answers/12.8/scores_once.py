# Counts the scores for the tokens once in all, not for each token.
def derived_counts(N: int, h: int, T: int) -> dict[str, int]:
    encoder, decoder = 5 * h + 3, 10 * h + 4
    return {
        "per head": N * (encoder + decoder) + 1,
        "batched": N * (8 + 14) + 1,
        "packed": N * (6 + 11) + 1,
        "fused": N * (4 + 7) + 1,
        "decoder only": N * encoder + 1,
        "decoding": N * encoder + T * N * decoder + 1,
        "cached": N * encoder + 2 * h * N + T * (N * (8 * h + 4) + 1),
    }
