# Under no_grad, with torch.mul.
@torch.no_grad()
def grasp_scores(weights, product):
    return {name: torch.mul(product[name], weights[name]).neg() for name in weights}
