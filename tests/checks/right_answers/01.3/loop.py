# Loops with math.copysign; the weights are a torch tensor, the crossing is found weight by weight.
import math

import torch


def subgradient_step(w, X, y, step, lam):
    moved = []
    for old, new in zip(w.tolist(), gradient_step(w, X, y, step).tolist()):
        moved.append(new - step * lam * math.copysign(1.0, old) if old else new)
    return torch.tensor(moved, dtype=torch.float64)


def smallest_crossing(w, X, y, step):
    smallest = math.inf
    for old, new in zip(w, gradient_step(w, X, y, step)):
        if old > 0:
            smallest = min(smallest, max(new, 0.0))
        elif old < 0:
            smallest = min(smallest, max(-new, 0.0))
    return smallest
