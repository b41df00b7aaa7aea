# Channel by channel.
def leftover(norm):
    state = {key: value.tolist() for key, value in norm.state_dict().items() if value.ndim}
    rows = zip(state["weight"], state["bias"], state["running_mean"], state["running_var"], strict=True)
    return torch.tensor([max(0.0, b - g * m / math.sqrt(v + norm.eps)) for g, b, m, v in rows])
