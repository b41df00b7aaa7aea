"""Benchmark of the sensitivity scan of VGG16-BN: the naive loop against the scan that runs only suffixes.

    OMP_NUM_THREADS=1 python benchmarks/sensitivity.py --images 200

All sixteen layers are pruned to six levels, on held-out images of photodigits10 and with the trained
weights in checkpoints/. The naive loop prunes a layer, runs the whole network and restores it. The scan
keeps the activations that enter the layer and runs only what follows; it also sorts the weights of a
layer once instead of at every level. The benchmark stops unless every accuracy and loss is equal.
Seconds are processor time (equal to wall-clock time on an idle core, and steady on a shared one), the
best of several runs.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence

import torch
from torch import nn

from labkit.data import Dataset, Split, load_dataset
from labkit.environment import environment_stamp
from labkit.models import prunable_weights
from labkit.pruning.allocation import SensitivityScan
from labkit.pruning.magnitude import apply_masks, magnitude_mask
from labkit.pruning.sensitivity import sensitivity_scan
from labkit.recipes import fit_or_load
from labkit.tables import table_bundle
from labkit.training import evaluate

LEVELS = (0.1, 0.2, 0.5, 0.7, 0.8, 0.9)
GOAL = 1.9


def naive_scan(
    model: nn.Module, dataset: Dataset, split: Split, *, sparsities: Sequence[float]
) -> SensitivityScan:
    """Run the whole network for every layer and level."""
    weights, accuracies, losses = prunable_weights(model), [], []
    for name, weight in weights.items():
        original, row = weight.detach().clone(), []
        for sparsity in sparsities:
            apply_masks(model, {name: magnitude_mask(weight, sparsity)})
            row.append(evaluate(model, dataset, split))
            with torch.no_grad():
                weight.copy_(original)
        accuracies.append(tuple(result.top1 for result in row))
        losses.append(tuple(result.loss for result in row))
    return SensitivityScan(tuple(weights), tuple(sparsities), tuple(accuracies), tuple(losses))


def measure(
    scans: dict[str, Callable[..., SensitivityScan]],
    model: nn.Module,
    dataset: Dataset,
    split: Split,
    repeats: int,
) -> dict[str, float]:
    """Time the scans in turn and return the best seconds of each; stop if their results differ."""
    best = dict.fromkeys(scans, float("inf"))
    for _ in range(repeats):
        results = {}
        for name, scan in scans.items():
            start = time.process_time()
            results[name] = scan(model, dataset, split, sparsities=LEVELS)
            best[name] = min(best[name], time.process_time() - start)
        if len(set(results.values())) > 1:
            raise SystemExit("the scans differ in an accuracy or loss")
    return best


def main() -> None:
    """Measure, print the table, and say whether the claim holds."""
    parser = argparse.ArgumentParser(description="sensitivity scan: naive loop and suffix-only scan")
    parser.add_argument("--images", type=int, default=200, help="held-out images (at most 1,000)")
    parser.add_argument("--repeats", type=int, default=1, help="timed runs of each scan")
    arguments = parser.parse_args()
    print(", ".join(f"{key} {value}" for key, value in environment_stamp().items()), end="\n\n")
    dataset = load_dataset(10)
    model = fit_or_load("vgg16", dataset)
    split = Split(*(part[: arguments.images] for part in dataset.validation))
    evaluate(
        model, dataset, Split(split.images[:50], split.labels[:50])
    )  # the first use of the kernels is not timed
    scans = {"naive loop": naive_scan, "labkit, suffix only": sensitivity_scan}
    best = measure(scans, model, dataset, split, arguments.repeats)
    rows = [[name, seconds, best["naive loop"] / seconds] for name, seconds in best.items()]
    title = f"VGG16-BN, 16 layers, 6 levels, {split.size} images"
    print(table_bundle(title, ["scan", "seconds", "times faster"], rows)["text/plain"], end="\n\n")
    ratio = rows[-1][-1]
    print(
        f"{'holds' if ratio >= GOAL else 'FAILS'}: at least {GOAL} times as fast, same numbers: {ratio:.2f}"
    )


if __name__ == "__main__":
    main()
