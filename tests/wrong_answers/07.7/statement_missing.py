# Judges four statements of five.
def concept_answers() -> dict[str, bool]:
    return {"sensitivities_add_up": False, "large_layers_bear_more": True, 
            "coo_saves_at_80": False, "bitmap_has_no_indices": True}
