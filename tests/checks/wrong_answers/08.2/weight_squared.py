# Multiplies by the weight twice.
def grasp_scores(weights, product):
    return {name: -weights[name].detach() ** 2 * part for name, part in product.items()}
