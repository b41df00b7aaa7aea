# Judges four statements of five.
def concept_answers() -> dict[str, bool]:
    return {"sensitivities_add_up": False, "first_layer_loses_most": True, 
            "coo_saves_at_80": False, "bitmap_has_no_indices": True}
