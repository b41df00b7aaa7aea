# Thinks pruning leaves the code as it is.
def concept_answers() -> dict[str, bool]:
    return {
        "n_shared_weights_at_k_bits_take_nk_bits": False,
        "pruning_shortens_huffman_codes": False,
        "n_equally_likely_symbols_take_log2_n_bits": False,
        "the_likelier_symbol_gets_the_longer_word": False,
    }
