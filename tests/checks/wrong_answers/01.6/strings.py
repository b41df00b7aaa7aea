# Writes words instead of booleans.
def concept_answers():
    return {
        "least_norm": True,
        "subgradient_exact_zeros": False,
        "proximal_more_stable": "True",
        "lasso_gradient_vanishes": False,
        "projection_locks_support": False,
        "trimmed_depends_on_strength": False,
    }
