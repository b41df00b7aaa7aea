# NumPy, in float64.
import numpy as np


def snip_scores(weights, gradients):
    products = {
        name: np.abs(weights[name].detach().double().numpy() * gradients[name].double().numpy()) for name in weights
    }
    total = sum(product.sum() for product in products.values())
    return {name: torch.from_numpy(product / (total or 1.0)) for name, product in products.items()}
