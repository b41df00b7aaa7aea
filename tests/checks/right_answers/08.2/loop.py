# A loop over items, with .data.
def grasp_scores(weights, product):
    scores = {}
    for name, weight in weights.items():
        scores[name] = 0 - weight.data * product[name]
    return scores
