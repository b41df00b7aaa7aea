# Squares instead of taking the magnitude.
def snip_scores(weights, gradients):
    products = {name: (weights[name].detach() * part).square() for name, part in gradients.items()}
    total = sum(float(part.sum()) for part in products.values())
    return {name: part / total if total else part for name, part in products.items()}
