# Overwrites the product.
def grasp_scores(weights, product):
    return {name: part.mul_(-weights[name].detach()) for name, part in product.items()}
