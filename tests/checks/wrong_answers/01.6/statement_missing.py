# Leaves one statement out.
def concept_answers():
    return {
        "subgradient_exact_zeros": False,
        "proximal_more_stable": True,
        "lasso_gradient_vanishes": False,
        "projection_locks_support": False,
        "trimmed_depends_on_strength": False,
    }
