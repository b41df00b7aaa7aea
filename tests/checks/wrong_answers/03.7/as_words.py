# Writes words instead of bools.
def concept_answers() -> dict[str, bool]:
    return {
        "short_arrays_shrink_most": "false",
        "own_gradient_moves_no_weight": "false",
        "two_bits_zero_more_than_pruning": "true",
        "channel_steps_are_never_wider": "true",
        "packed_zeros_take_no_bits": "false",
    }
