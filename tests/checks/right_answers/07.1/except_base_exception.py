# except BaseException instead of finally; multiplies by a mask.
def sensitivity_curve(weight, levels, score):
    saved, values = weight.data.clone(), []
    order = saved.abs().reshape(-1).sort(stable=True).indices

    def restore():
        weight.data.copy_(saved)

    for level in levels:
        mask = torch.ones(saved.numel())
        mask[order[: round(level / 100 * saved.numel())]] = 0
        weight.data.copy_(saved).mul_(mask.view(saved.shape))
        try:
            values.append(score())
        except BaseException:
            restore()
            raise
    restore()
    return values
