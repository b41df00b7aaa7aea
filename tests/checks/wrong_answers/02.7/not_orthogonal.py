# Believes that a network can be pruned or quantized, not both.
def concept_answers() -> dict[str, bool]:
    return {
        "l1_with_sgd_gives_exact_zeros": False,
        "unstructured_sparsity_speeds_up_a_gpu": False,
        "pruned_training_is_faster_on_a_gpu": False,
        "l1_empties_filters_as_group_lasso": False,
        "pruning_after_quantization_can_cost_more": True,
        "pruning_and_quantization_are_orthogonal": False,
        "binary_networks_spare_first_and_last_layer": True,
    }
