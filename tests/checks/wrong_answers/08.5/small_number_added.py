# Adds a small number to the sum.
def snip_scores(weights, gradients):
    products = {name: (weights[name].detach() * part).abs() for name, part in gradients.items()}
    total = sum(float(part.sum()) for part in products.values())
    return {name: part / (total + 1e-8) for name, part in products.items()}
