# Believes that a packed zero is free.
def concept_answers() -> dict[str, bool]:
    return {
        "short_arrays_shrink_most": False,
        "own_gradient_moves_no_weight": False,
        "two_bits_zero_more_than_pruning": True,
        "channel_steps_are_never_wider": True,
        "packed_zeros_take_no_bits": True,
    }
