# Takes the whole network's length for that of each layer.
def concept_answers() -> dict[str, bool]:
    return {
        "n_shared_weights_at_k_bits_take_nk_bits": False,
        "a_lookup_table_is_a_small_part_of_every_layer": False,
        "pruning_shortens_the_code_of_every_layer": True,
        "n_equally_likely_symbols_take_log2_n_bits": False,
        "the_shortest_code_goes_with_a_larger_error": True,
    }
