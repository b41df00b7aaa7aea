"""Benchmark of one-dimensional k-means against scikit-learn's KMeans and the exact optimum of ckwrap.

    OMP_NUM_THREADS=1 python benchmarks/clustering.py

Standard normal values in float32 form 32 clusters: first all values, then the tenth of largest
magnitude, as after pruning. The error is the sum of squared distances, in per cent above the exact
optimum. Seconds are processor time (equal to wall-clock time on an idle core, and steady on a shared
one): the median of several runs for labkit, one run for its peers. The ratio is to scikit-learn with
the same linear initialization. Needs the ``bench`` extra.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import NamedTuple

import ckwrap
import numpy as np
from sklearn.cluster import KMeans

from labkit.environment import environment_stamp
from labkit.quantization.kmeans import INITIALIZATIONS, initial_centroids, kmeans
from labkit.tables import table_bundle

CLUSTERS = 32


class Run(NamedTuple):
    """Median processor seconds, the sum of squared distances, and the number of nonempty clusters."""

    seconds: float
    error: float
    clusters: int


def measure(values: np.ndarray, repeats: int) -> dict[str, Run]:
    """Run every method on the same values; only clustering and assignment are timed."""
    wide = values.astype(np.float64)
    start = initial_centroids(values, CLUSTERS, "linear")[:, None]
    runs = {
        "ckwrap, exact": timed(wide, lambda: exact(wide), 1),
        "scikit-learn, linear": timed(wide, lambda: peer(values, start), 1),
        "scikit-learn, k-means++": timed(wide, lambda: peer(values, "k-means++"), 1),
    }
    for name in INITIALIZATIONS:
        runs[f"labkit, {name}"] = timed(wide, lambda name=name: ours(values, name), repeats)
    return runs


def exact(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return centroids and labels of the optimum, by dynamic programming (Wang and Song 2011)."""
    result = ckwrap.ckmeans(values, CLUSTERS)
    return np.asarray(result.centers), np.asarray(result.labels)


def peer(values: np.ndarray, start: np.ndarray | str) -> tuple[np.ndarray, np.ndarray]:
    """Return scikit-learn's centroids and labels, with its defaults otherwise."""
    model = KMeans(CLUSTERS, init=start, n_init=1, random_state=0).fit(values[:, None])
    return model.cluster_centers_[:, 0].astype(np.float64), model.labels_


def ours(values: np.ndarray, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return labkit's centroids and labels, by sorting and prefix sums."""
    result = kmeans(values, CLUSTERS, initialization=name)
    return result.centroids, result.indices


def timed(values: np.ndarray, method: Callable[[], tuple[np.ndarray, np.ndarray]], repeats: int) -> Run:
    """Time ``repeats`` runs of ``method`` and compute the error of the last in float64."""
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        centroids, labels = method()
        seconds.append(time.process_time() - start)
    distances = values - centroids[labels]
    return Run(statistics.median(seconds), float(distances @ distances), len(np.unique(labels)))


def show(title: str, runs: dict[str, Run]) -> None:
    """Print one table."""
    optimum, peer_seconds = runs["ckwrap, exact"].error, runs["scikit-learn, linear"].seconds
    rows = [
        [name, run.seconds, peer_seconds / run.seconds, 100 * (run.error / optimum - 1), run.clusters]
        for name, run in runs.items()
    ]
    columns = ["method", "CPU s", "× scikit-learn, linear", "above the optimum (%)", "clusters used"]
    print(table_bundle(title, columns, rows, digits=4)["text/plain"], end="\n\n")


def verdict(claim: str, value: float, holds: bool) -> None:
    """Print whether a claim holds."""
    print(f"{'holds' if holds else 'FAILS'}: {claim}: {value:.4f}")


def main() -> None:
    """Measure, print the tables, and say which claims hold."""
    parser = argparse.ArgumentParser(description="one-dimensional k-means compared with its peers")
    parser.add_argument("--values", type=int, default=1_000_000, help="number of normal values")
    parser.add_argument("--repeats", type=int, default=5, help="timed runs of labkit")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(", ".join(f"{key} {value}" for key, value in environment_stamp().items()), end="\n\n")

    values = np.random.default_rng(arguments.seed).standard_normal(arguments.values).astype(np.float32)
    magnitudes = np.abs(values)
    kept = values[magnitudes >= np.quantile(magnitudes, 0.9)]
    full, pruned = measure(values, arguments.repeats), measure(kept, arguments.repeats)
    show(f"{len(values)} normal values, {CLUSTERS} clusters", full)
    show(f"{len(kept)} of them left by pruning 90 %, {CLUSTERS} clusters", pruned)

    def excess(runs: dict[str, Run], name: str) -> float:
        return 100 * (runs[f"labkit, {name}"].error / runs["ckwrap, exact"].error - 1)

    speed = full["scikit-learn, linear"].seconds / full["labkit, linear"].seconds
    verdict(
        "at least 50 times as fast as scikit-learn with the same linear initialization", speed, speed >= 50
    )
    gap = excess(full, "density")
    verdict("density initialization at most 0.01 % above the optimum", gap, gap <= 0.01)
    gap = excess(pruned, "density")
    verdict("density initialization on pruned values at most 2 % above the optimum", gap, gap <= 2)
    gap = excess(pruned, "linear")
    verdict("linear initialization on pruned values more than 30 % above the optimum", gap, gap > 30)


if __name__ == "__main__":
    main()
