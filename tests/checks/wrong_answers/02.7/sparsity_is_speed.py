# Believes that zeros make a dense kernel faster.
def concept_answers() -> dict[str, bool]:
    return {
        "l1_with_sgd_gives_exact_zeros": False,
        "unstructured_sparsity_speeds_up_a_gpu": True,
        "group_lasso_zeroes_whole_groups": True,
        "pruning_after_quantization_costs_nothing": False,
        "pruning_and_quantization_are_orthogonal": True,
    }
