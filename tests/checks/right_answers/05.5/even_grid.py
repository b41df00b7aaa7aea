# An even grid of magnitudes for each sign, with the mean of each cell as its value.
def compress(state):
    out = {name: tensor.clone() for name, tensor in state.items()}
    for name, tensor in out.items():
        if tensor.ndim <= 1 or not tensor.any():
            continue
        for cells in range(1, 40):
            step = tensor.abs().max() / cells
            keys = torch.ceil(tensor.abs() / step) * tensor.sign()
            rounded = torch.zeros_like(tensor)
            for key in keys.unique():
                if key != 0:
                    rounded[keys == key] = tensor[keys == key].mean()
            if (rounded - tensor).square().sum() <= 0.019 * tensor.square().sum():
                break
        out[name] = rounded
    return out
