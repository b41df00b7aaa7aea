# Answers in words.
def concept_answers() -> dict[str, bool]:
    return {
        "n_shared_weights_at_k_bits_take_nk_bits": "false",
        "pruning_shortens_huffman_codes": "true",
        "n_equally_likely_symbols_take_log2_n_bits": "false",
        "the_likelier_symbol_gets_the_longer_word": "false",
    }
