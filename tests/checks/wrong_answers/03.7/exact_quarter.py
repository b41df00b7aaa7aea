# Takes the levels for all there is.
def concept_answers() -> dict[str, bool]:
    return {
        "eight_bits_make_an_exact_quarter": True,
        "rounding_trains_by_its_own_gradient": False,
        "integer_zero_point_keeps_zeros": True,
        "channel_steps_are_never_wider": True,
        "packed_zeros_take_no_bits": False,
    }
