# Believes that a dense kernel skips zeros.
def concept_answers() -> dict[str, bool]:
    return {"sensitivities_add_up": False, "first_layer_loses_most": True, "zeros_alone_save_time": True,
            "coo_saves_at_80": False, "bitmap_has_no_indices": True}
