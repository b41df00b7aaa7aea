# Leaves out the scores for the tokens.
def derived_counts(N: int, h: int, T: int) -> dict[str, int]:
    encoder, decoder = 5 * h + 3, 10 * h + 4
    return {
        "per head": N * (encoder + decoder),
        "batched": N * (8 + 14) + 1,
        "packed": N * (6 + 11) + 1,
        "fused": N * (4 + 7) + 1,
        "decoder only": N * encoder,
        "decoding": N * encoder + T * (N * decoder + 1),
        "cached": N * encoder + 2 * h * N + T * (N * (8 * h + 4) + 1),
    }
