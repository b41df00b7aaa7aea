# Has the opposite sign.
def grasp_scores(weights, product):
    return {name: weights[name].detach() * part for name, part in product.items()}
