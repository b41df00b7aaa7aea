# Takes the magnitude.
def grasp_scores(weights, product):
    return {name: (weights[name].detach() * part).abs() for name, part in product.items()}
