# Says False to everything.
def concept_answers() -> dict[str, bool]:
    return {
        "more_weights_more_macs": False,
        "zeros_lower_the_macs": False,
        "two_synchronizations_give_the_mean": False,
        "an_outlier_moves_the_mean_more": False,
        "twice_the_batch_twice_the_peak": False,
        "guessing_scores_50_in_the_top_5": False,
        "loading_outlasts_a_batch": False,
    }
