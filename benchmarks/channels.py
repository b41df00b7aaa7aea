"""Benchmark of channel pruning from second moments against scikit-learn and the search of He et al.

    OMP_NUM_THREADS=1 python benchmarks/channels.py --layers 5 8 --images 80 60

Inputs and targets are activations of convolutions of the dense VGG16-BN for training images of
photodigits10. labkit computes moments, the Gram matrix of the channels and the whole LASSO path. Its
peer is one scikit-learn Lasso on the full design matrix (rows times outputs by channels), at the alpha
where the path has the number of channels to keep. Computing the moments or the design matrix is timed
as preparation. For reconstruction, Cholesky decomposition from the same moments is compared with
LinearRegression.

Seconds are processor time on one thread (equal to wall-clock time on an idle core, and steady on a
shared one), the best of several runs. Latency is the median, with dense and pruned networks timed in
turn.
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
    """Return the least processor seconds of several runs, and the last result."""
    best, result = np.inf, None
    for _ in range(repeats):
        start = time.process_time()
        result = work()
        best = min(best, time.process_time() - start)
    return best, result


@torch.no_grad()
def activations(model: VGG16, dataset: Dataset, index: int, images: int) -> Layer:
    """Return the inputs of convolution ``index`` and its outputs without bias."""
    position = [i for i, module in enumerate(model.features) if isinstance(module, nn.Conv2d)][index]
    weight = model.features[position].weight.detach()
    inputs = model.features[:position](training_images(dataset, images, 0)).contiguous()
    return Layer(inputs, functional.conv2d(inputs, weight, padding=1), weight)


def design(layer: Layer) -> tuple[Tensor, Tensor, np.ndarray]:
    """Return X ``(rows, c·9)``, Y ``(rows, n)`` and, in column-major order, Z ``(rows·n, c)``."""
    x = functional.unfold(layer.inputs, 3, padding=1).transpose(1, 2).flatten(0, 1)
    y = layer.targets.permute(0, 2, 3, 1).flatten(0, 2)
    c = layer.weight.shape[1]
    z = np.empty((y.numel(), c), np.float32, order="F")
    for i in range(c):
        z[:, i] = (x[:, 9 * i : 9 * i + 9] @ layer.weight[:, i].flatten(1).T).flatten().numpy()
    return x, y, z


def moments_of(layer: Layer) -> Moments:
    """Compute the moments in batches of 16 images."""
    batches = zip(layer.inputs.split(16), layer.targets.split(16), strict=True)
    return streamed_moments(batches, (3, 3), padding=1)


def path_of(moments: Moments, layer: Layer) -> LassoPath:
    """Compute the whole LASSO path from moments."""
    return lasso_path(*channel_gram(moments, layer.weight), moments.rows * len(layer.weight))


def solved(z: np.ndarray, y: np.ndarray, alpha: float) -> Tensor:
    """Return |β| of the LASSO by coordinate descent to 1e-12, on c rows with the Gram matrix of Z."""
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


def jaccard(first: Tensor, second: Tensor) -> float:
    """Return the Jaccard index of two sets of channels."""
    a, b = set(first.tolist()), set(second.tolist())
    return len(a & b) / len(a | b)


def verdict(claim: str, value: float, holds: bool) -> None:
    """Print whether a claim holds."""
    print(f"{'holds' if holds else 'FAILS'}: {claim}: {value:.6g}")


def show(title: str, columns: list[str], rows: list[list[Any]]) -> None:
    """Print one table."""
    print(table_bundle(title, columns, rows, digits=4)["text/plain"], end="\n\n")


def choose(layer: Layer, count: int, repeats: int) -> Moments:
    """Time and compare three ways to select channels, and the errors of all rules."""
    moments_seconds, moments = timed(lambda: moments_of(layer), repeats)
    path_seconds, path = timed(lambda: path_of(moments, layer), repeats)
    design_seconds, (x, y, z) = timed(lambda: design(layer), 1)
    step = int(((path.coefficients != 0).sum(0) >= count).argmax())
    solver = Lasso(alpha=path.alphas[step], fit_intercept=False, copy_X=False)
    target = y.flatten().numpy()
    peer_seconds, _ = timed(lambda: solver.fit(z, target), repeats)
    default = torch.from_numpy(abs(solver.coef_)).argsort(descending=True)[:count]
    tight = solved(z, target, float(path.alphas[step])).argsort(descending=True)[:count]
    he_seconds, he = timed(lambda: bisect_channels(x, y, layer.weight, count), 1)
    chosen = select_channels(moments, layer.weight, count)

    def row(name: str, prepared: float, seconds: float, channels: Tensor) -> list[Any]:
        channels = channels.sort().values
        error = relative_error(moments, channels, least_squares(moments, channels))
        return [name, prepared, seconds, len(channels), jaccard(channels, chosen), 100 * error]

    columns = [
        "route",
        "preparation (s)",
        "choice (s)",
        "channels",
        "Jaccard index with labkit",
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
    verdict(
        "after preparation, the path is at least 10 times as fast as one Lasso solve", ratio, ratio >= 10
    )
    ratio = (design_seconds + peer_seconds) / (moments_seconds + path_seconds)
    verdict("including preparation it is still faster", ratio, ratio > 1)
    same = jaccard(tight, chosen)
    verdict("the path keeps the channels that Lasso, solved to 1e-12, keeps", same, same == 1)
    return moments


def reconstruct(layer: Layer, moments: Moments, count: int, repeats: int) -> None:
    """Compare least squares with scikit-learn's; errors are computed from the rows in float64."""
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
    verdict("the error is at most scikit-learn's, apart from rounding (1e-6)", excess, excess <= 1e-6)
    print()


def latency(model: VGG16, small: VGG16, batch_size: int, repeats: int) -> None:
    """Compare the median seconds per batch, dense and pruned, with the ratio of their MACs."""
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
    show(f"Batches of {batch_size}", ["network", "latency (ms)", "MACs (millions per image)"], rows)
    macs_ratio, ratio = macs[0] / macs[1], medians[0] / medians[1]
    verdict("the ratio of MACs is at least 3", macs_ratio, macs_ratio >= 3)
    verdict("the ratio of latencies is at least 0.6 times that of MACs", ratio, ratio >= 0.6 * macs_ratio)
    print()


def main() -> None:
    """Measure, print the tables, and say which claims hold."""
    parser = argparse.ArgumentParser(description="channel pruning compared with its peers")
    parser.add_argument("--layers", type=int, nargs="*", default=[5, 8], help="convolutions, 1 to 12")
    parser.add_argument("--images", type=int, nargs="*", default=[80, 60], help="training images per layer")
    parser.add_argument("--keep", type=int, nargs=13, help="channels; default: the shipped network")
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
