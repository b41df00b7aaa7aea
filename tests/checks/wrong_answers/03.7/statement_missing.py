# Judges four of five.
def concept_answers() -> dict[str, bool]:
    return {
        "eight_bits_make_an_exact_quarter": False,
        "rounding_trains_by_its_own_gradient": False,
        "integer_zero_point_keeps_zeros": True,
        "channel_steps_are_never_wider": True,
    }
