# Believes that pruning quantized weights is free.
def concept_answers() -> dict[str, bool]:
    return {
        "l1_with_sgd_gives_exact_zeros": False,
        "unstructured_sparsity_speeds_up_a_gpu": False,
        "group_lasso_zeroes_whole_groups": True,
        "pruning_after_quantization_costs_nothing": True,
        "pruning_and_quantization_are_orthogonal": True,
    }
