# The product of two magnitudes; the division is skipped where the sum is 0.
@torch.no_grad()
def snip_scores(weights, gradients):
    scores = {name: weight.abs() * gradients[name].abs() for name, weight in weights.items()}
    total = torch.stack([score.sum() for score in scores.values()]).sum()
    if total > 0:
        for name in scores:
            scores[name] = scores[name].div(total)
    return scores
