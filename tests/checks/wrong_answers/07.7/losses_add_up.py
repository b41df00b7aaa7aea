# Takes sensitivities for additive.
def concept_answers() -> dict[str, bool]:
    return {
        "sensitivities_add_up": True,
        "more_weights_less_sensitive": False,
        "statistics_can_undo_half": True,
        "zeros_alone_save_time": False,
        "coo_saves_at_80": False,
        "new_statistics_have_a_price": True,
    }
