# Says that the peak doubles.
def concept_answers() -> dict[str, bool]:
    """Whether each statement is true, under these six keys.

    - "more_weights_more_macs": of two convolutions, the one with more weights takes more
      multiply-accumulates.
    - "zeros_lower_the_macs": setting 90 % of the weights to zero lowers the number that
      torchprofile counts.
    - "unsynchronized_looks_faster": without synchronizing, a GPU's batch seems to take less
      time than it does.
    - "an_outlier_moves_the_mean_more": one batch that another program held up moves the mean
      of the times more than their median.
    - "twice_the_batch_twice_the_peak": a batch twice as large doubles the peak memory of
      weights, input and activations together.
    - "a_counter_sees_only_this_process": a RAPL counter counts the energy of the process that
      reads it.

    Returns:
        six bools by key, e.g. {"more_weights_more_macs": …, …}
    """
    return {
        "more_weights_more_macs": False,
        "zeros_lower_the_macs": False,
        "unsynchronized_looks_faster": True,
        "an_outlier_moves_the_mean_more": True,
        "twice_the_batch_twice_the_peak": True,
        "a_counter_sees_only_this_process": False,
    }
