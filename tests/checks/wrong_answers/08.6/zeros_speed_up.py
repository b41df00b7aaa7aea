# Believes that zeros are skipped.
def concept_answers():
    return {
        "double_backward_stores_the_hessian": False,
        "a_pruned_weight_has_the_highest_grasp_score": False,
        "two_calibration_sets_keep_the_same_weights": False,
        "the_layers_shares_matter_more_than_which_weights": True,
        "snip_needs_second_derivatives": False,
        "early_unstructured_pruning_shortens_training_here": True,
    }
