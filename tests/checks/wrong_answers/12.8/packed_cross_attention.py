# Packs queries of the decoder with keys of the memory, which come from another input.
def derived_counts(N: int, h: int, T: int) -> dict[str, int]:
    encoder, decoder = 5 * h + 3, 10 * h + 4
    return {
        "per head": N * (encoder + decoder) + 1,
        "batched": N * (8 + 14) + 1,
        "packed": N * (6 + 10) + 1,
        "fused": N * (4 + 7) + 1,
        "decoder only": N * encoder + 1,
        "decoding": N * encoder + T * (N * decoder + 1),
        "cached": N * encoder + 2 * h * N + T * (N * (8 * h + 4) + 1),
    }
