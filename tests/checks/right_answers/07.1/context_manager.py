# A context manager restores the weight; each level restores it first, too.
import contextlib


@contextlib.contextmanager
def restored(weight):
    copy = weight.data.clone()
    try:
        yield copy
    finally:
        weight.data[...] = copy


def sensitivity_curve(weight, levels, score):
    curve = []
    for level in levels:
        with restored(weight) as copy:
            flat = copy.flatten().clone()
            order = sorted(range(flat.numel()), key=lambda i: abs(flat[i].item()))
            flat[order[: round(level * flat.numel() / 100)]] = 0
            weight.data[...] = flat.view_as(weight)
            curve.append(score())
    return curve
