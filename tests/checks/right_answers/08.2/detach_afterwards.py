# Detaches the score, and not the weight.
def grasp_scores(weights, product):
    return {name: (-1 * product[name] * weights[name]).detach().clone() for name in product}
