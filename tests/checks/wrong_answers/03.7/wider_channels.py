# Believes that a channel's grid may be coarser.
def concept_answers() -> dict[str, bool]:
    return {
        "eight_bits_make_an_exact_quarter": False,
        "rounding_trains_by_its_own_gradient": False,
        "integer_zero_point_keeps_zeros": True,
        "channel_steps_are_never_wider": False,
        "packed_zeros_take_no_bits": False,
    }
