# Thinks that a bitmap grows with the kept weights.
def concept_answers() -> dict[str, bool]:
    return {"sensitivities_add_up": False, "first_layer_loses_most": True, "zeros_alone_save_time": False,
            "coo_saves_at_80": False, "bitmap_has_no_indices": False}
