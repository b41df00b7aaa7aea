# Divides each layer by its own sum.
def snip_scores(weights, gradients):
    products = {name: (weights[name].detach() * part).abs() for name, part in gradients.items()}
    return {name: part / part.sum() if part.sum() else part for name, part in products.items()}
