# Slices of the padded input, position by position.
def unfold_inputs(x, kernel, padding):
    padded = functional.pad(x, (padding,) * 4)
    rows = []
    for image in padded:
        for top in range(image.shape[1] - kernel + 1):
            for left in range(image.shape[2] - kernel + 1):
                rows.append(image[:, top : top + kernel, left : left + kernel].reshape(-1))
    return torch.stack(rows)
