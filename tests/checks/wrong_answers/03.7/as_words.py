# Writes words instead of bools.
def concept_answers() -> dict[str, bool]:
    return {
        "eight_bits_make_an_exact_quarter": "false",
        "rounding_trains_by_its_own_gradient": "false",
        "integer_zero_point_keeps_zeros": "true",
        "channel_steps_are_never_wider": "true",
        "packed_zeros_take_no_bits": "false",
    }
