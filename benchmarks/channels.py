"""Channel pruning from second moments beside scikit-learn and He et al.'s search, on real activations.

    OMP_NUM_THREADS=1 python benchmarks/channels.py --layers 5 8 --images 80 60

Inputs and targets of convolutions of the dense VGG16-BN, training images of photodigits10. Ours: moments,
the Gram matrix of the channels, the whole LASSO path. Its peer: one scikit-learn Lasso on the full design
(rows times outputs by channels), at the alpha where the path holds the number kept. What each needs
first, moments or that design, is timed as preparation. Ours reconstructs by Cholesky from the same
moments, the peer is LinearRegression. Seconds are processor time on one thread (what wall-clock time is
on an idle core, but steady on a shared one), the best of several runs; of latency, the median, dense and
pruned in turn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.linear_model import Lasso, LinearRegression
from torch import Tensor, nn
from torch.nn import functional

from labkit.data import Dataset, load_dataset
from labkit.environment import environment_stamp
from labkit.models.vgg import VGG16, vgg16_from_state
from labkit.profiling import count_macs
from labkit.pruning.channel_reconstruction import (
    LassoPath,
    Moments,
    channel_gram,
    lasso_path,
    least_squares,
    relative_error,
    streamed_moments,
)
from labkit.pruning.channel_selection import SELECTIONS, bisect_channels, select_channels
from labkit.pruning.channels import slice_channels, training_images
from labkit.storage.checkpoints import read_weights
from labkit.tables import table_bundle


class Layer(NamedTuple):
    """Inputs ``(b, c, h, w)`` and targets ``(b, n, h, w)`` of a convolution, and its weight."""

    inputs: Tensor
    targets: Tensor
    weight: Tensor


def timed(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """The least processor seconds of several runs, and the last result."""
    best, result = np.inf, None
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return best, result


@torch.no_grad()
def activations(model: VGG16, dataset: Dataset, index: int, images: int) -> Layer:
    """What convolution ``index`` reads and, its bias left out, makes."""
    at = [i for i, module in enumerate(model.features) if isinstance(module, nn.Conv2d)][index]
    weight = model.features[at].weight.detach()
    inputs = model.features[:at](training_images(dataset, images, 0)).contiguous()
    return Layer(inputs, functional.conv2d(inputs, weight, padding=1), weight)


def design(layer: Layer) -> tuple[Tensor, Tensor, np.ndarray]:
    """X ``(rows, c·9)``, Y ``(rows, n)`` and, by columns, Z ``(rows·n, c)``."""
    x = functional.unfold(layer.inputs, 3, padding=1).transpose(1, 2).flatten(0, 1)
    y = layer.targets.permute(0, 2, 3, 1).flatten(0, 2)
    c = layer.weight.shape[1]
    z = np.empty((y.numel(), c), np.float32, order="F")
    for i in range(c):
        z[:, i] = (x[:, 9 * i : 9 * i + 9] @ layer.weight[:, i].flatten(1).T).flatten().numpy()
    return x, y, z


def moments_of(layer: Layer) -> Moments:
    """Moments in batches of 16 images."""
    batches = zip(layer.inputs.split(16), layer.targets.split(16), strict=True)
    return streamed_moments(batches, (3, 3), padding=1)


def path_of(moments: Moments, layer: Layer) -> LassoPath:
    """Every solution, from moments."""
    return lasso_path(*channel_gram(moments, layer.weight), moments.rows * len(layer.weight))


def solved(z: np.ndarray, y: np.ndarray, alpha: float) -> Tensor:
    """|β| of the LASSO by coordinate descent to 1e-12, on c rows that have Z's Gram matrix."""
    c = z.shape[1]
    gram, target = np.zeros((c, c)), np.zeros(c)
    for start in range(0, len(z), 65_536):
        part = z[start : start + 65_536].astype(np.float64)
        gram += part.T @ part
        target += part.T @ y[start : start + 65_536]
    factor = np.linalg.cholesky(gram)
    rows = np.linalg.solve(factor, target)
    solver = Lasso(alpha=alpha * len(z) / c, fit_intercept=False, tol=1e-12, max_iter=1_000_000)
    return torch.from_numpy(abs(solver.fit(factor.T, rows).coef_))


def likeness(first: Tensor, second: Tensor) -> float:
    """Jaccard index of two sets of channels."""
    a, b = set(first.tolist()), set(second.tolist())
    return len(a & b) / len(a | b)


def verdict(claim: str, value: float, holds: bool) -> None:
    """Print whether a claim holds."""
    print(f"{'holds' if holds else 'FAILS'}: {claim}: {value:.6g}")


def show(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    """Print one table."""
    print(table_bundle(title, columns, rows, digits=4)["text/plain"], end="\n\n")


def choose(layer: Layer, count: int, repeats: int) -> Moments:
    """Time and compare the three ways to choose channels, and the errors that the rules leave."""
    moments_seconds, moments = timed(lambda: moments_of(layer), repeats)
    path_seconds, path = timed(lambda: path_of(moments, layer), repeats)
    design_seconds, (x, y, z) = timed(lambda: design(layer), 1)
    at = int(((path.coefficients != 0).sum(0) >= count).argmax())
    solver = Lasso(alpha=path.alphas[at], fit_intercept=False, copy_X=False)
    target = y.flatten().numpy()
    peer_seconds, _ = timed(lambda: solver.fit(z, target), repeats)
    default = torch.from_numpy(abs(solver.coef_)).argsort(descending=True)[:count]
    tight = solved(z, target, float(path.alphas[at])).argsort(descending=True)[:count]
    he_seconds, he = timed(lambda: bisect_channels(x, y, layer.weight, count), 1)
    chosen = select_channels(moments, layer.weight, count)

    def row(name: str, prepared: float, seconds: float, channels: Tensor) -> list[Any]:
        channels = channels.sort().values
        error = relative_error(moments, channels, least_squares(moments, channels))
        return [name, prepared, seconds, len(channels), likeness(channels, chosen), 100 * error]

    columns = [
        "route",
        "preparation (s)",
        "choice (s)",
        "channels",
        "likeness to ours",
        "error after reconstruction (%)",
    ]
    rows = [
        row("moments; the whole path", moments_seconds, path_seconds, chosen),
        row("full design; scikit-learn Lasso, one alpha", design_seconds, peer_seconds, default),
        row(f"He et al., sampled; {he.solves} solves", np.nan, he_seconds, he.channels),
    ]
    for rule in SELECTIONS[1:]:
        rows.append(
            row(rule, np.nan, np.nan, select_channels(moments, layer.weight, count, selection=rule))
        )
    show(f"{count} of {moments.channel_count} channels from {moments.rows} rows", columns, rows)
    ratio = peer_seconds / path_seconds
    verdict("the path is at least 10 times as fast as one Lasso solve, both prepared", ratio, ratio >= 10)
    ratio = (design_seconds + peer_seconds) / (moments_seconds + path_seconds)
    verdict("with the preparation it is still faster", ratio, ratio > 1)
    same = likeness(tight, chosen)
    verdict("the path keeps the channels that Lasso, solved to 1e-12, keeps", same, same == 1)
    return moments


def reconstruct(layer: Layer, moments: Moments, count: int, repeats: int) -> None:
    """Least squares beside scikit-learn's, the errors taken from the rows in double precision."""
    kept = select_channels(moments, layer.weight, count)
    seconds, weight = timed(lambda: least_squares(moments, kept), repeats)
    x = (
        functional.unfold(layer.inputs[:, kept], 3, padding=1)
        .transpose(1, 2)
        .flatten(0, 1)
        .double()
        .numpy()
    )
    y = layer.targets.permute(0, 2, 3, 1).flatten(0, 2).double().numpy()
    peer = LinearRegression(fit_intercept=False)
    peer_seconds, _ = timed(lambda: peer.fit(x, y), 1)
    errors = [np.square(y - x @ w.T).sum() / np.square(y).sum() for w in (weight.numpy(), peer.coef_)]
    rows = [
        ["moments, Cholesky", seconds, 100 * errors[0]],
        ["LinearRegression", peer_seconds, 100 * errors[1]],
    ]
    show("Reconstruction", ["route", "seconds", "error (%)"], rows)
    excess = errors[0] / errors[1] - 1
    verdict("our error is not above scikit-learn's, but for rounding (1e-6)", excess, excess <= 1e-6)
    print()


def latency(model: VGG16, small: VGG16, batch_size: int, repeats: int) -> None:
    """Median seconds of a batch, dense and cut, beside the ratio of their MACs."""
    images = torch.randn(batch_size, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    seconds: dict[VGG16, list[float]] = {model: [], small: []}
    with torch.inference_mode():
        for repeat in range(repeats + 3):
            for network, measured in seconds.items():
                start = time.process_time()
                network(images)
                measured += [time.process_time() - start] if repeat >= 3 else []
    macs = [count_macs(network, images) for network in seconds]
    medians = [float(np.median(measured)) for measured in seconds.values()]
    rows = [
        [name, 1e3 * median, count / 1e6]
        for name, median, count in zip(("dense", "pruned"), medians, macs, strict=True)
    ]
    show(f"Batches of {batch_size}", ["network", "latency (ms)", "MACs (millions an image)"], rows)
    macs_ratio, ratio = macs[0] / macs[1], medians[0] / medians[1]
    verdict("the ratio of MACs is at least 3", macs_ratio, macs_ratio >= 3)
    verdict("the ratio of latencies is at least 0.6 of that of MACs", ratio, ratio >= 0.6 * macs_ratio)
    print()


def main() -> None:
    """Measure, print the tables, and say which claims hold."""
    parser = argparse.ArgumentParser(description="channel pruning beside its peers")
    parser.add_argument("--layers", type=int, nargs="*", default=[5, 8], help="convolutions, 1 to 12")
    parser.add_argument("--images", type=int, nargs="*", default=[80, 60], help="training images a layer")
    parser.add_argument("--keep", type=int, nargs=13, help="channels; else the shipped network")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--batches", type=int, nargs="*", default=[1, 64])
    arguments = parser.parse_args()
    print(", ".join(f"{key} {value}" for key, value in environment_stamp().items()), end="\n\n")
    dataset = load_dataset(10)
    model = vgg16_from_state(read_weights(dataset.name, "vgg16")).eval()
    for index, images in zip(arguments.layers, arguments.images, strict=True):
        layer = activations(model, dataset, index, images)
        print(f"Convolution {index}, weight {tuple(layer.weight.shape)}")
        moments = choose(layer, layer.weight.shape[1] // 2, arguments.repeats)
        reconstruct(layer, moments, layer.weight.shape[1] // 2, arguments.repeats)
    small = (
        slice_channels(model, [torch.arange(count) for count in arguments.keep])
        if arguments.keep
        else vgg16_from_state(read_weights(dataset.name, "vgg16-channels")).eval()
    )
    for batch_size in arguments.batches:
        latency(model, small, batch_size, 10 * arguments.repeats)


if __name__ == "__main__":
    main()
