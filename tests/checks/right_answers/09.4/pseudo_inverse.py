# The pseudo-inverse, which exists for any rank.
def fit_weight(X, Y):
    return (torch.linalg.pinv(X) @ Y).T
