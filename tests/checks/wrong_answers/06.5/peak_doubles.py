# Says that the peak doubles.
def concept_answers() -> dict[str, bool]:
    return {
        "more_weights_more_macs": False,
        "zeros_lower_the_macs": False,
        "unsynchronized_looks_faster": True,
        "an_outlier_moves_the_mean_more": True,
        "twice_the_batch_twice_the_peak": True,
        "guessing_scores_10_in_the_top_5": False,
        "the_first_answer_costs_one_batch": False,
    }
