# Gives NaN where every product is 0.
def snip_scores(weights, gradients):
    products = {name: (weights[name].detach() * part).abs() for name, part in gradients.items()}
    total = sum(float(part.sum()) for part in products.values())
    return {name: part / torch.tensor(total) for name, part in products.items()}
