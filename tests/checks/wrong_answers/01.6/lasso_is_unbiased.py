# Believes that the loss is at rest at the solution of the L1 problem.
def concept_answers():
    return {
        "least_norm": True,
        "subgradient_exact_zeros": False,
        "proximal_more_stable": True,
        "lasso_gradient_vanishes": True,
        "projection_locks_support": False,
        "trimmed_depends_on_strength": False,
    }
