# Divides by the largest score.
def snip_scores(weights, gradients):
    products = {name: (weights[name].detach() * part).abs() for name, part in gradients.items()}
    total = max(float(part.max()) for part in products.values())
    return {name: part / total if total else part for name, part in products.items()}
