# Says no to everything.
def concept_answers():
    return {
        "a_filter_has_scores_of_both_signs": False,
        "grasp_keeps_more_gradient_than_chance_at_every_share": False,
        "by_score_alone_weights_return_at_every_stage": False,
        "two_calibration_sets_keep_mostly_the_same_weights": False,
        "the_layers_counts_matter_more_than_which_weights": False,
        "with_80_percent_zeros_coo_is_smaller_than_dense": False,
    }
