# Keeps the weights' graph.
def grasp_scores(weights, product):
    return {name: -weights[name] * part for name, part in product.items()}
