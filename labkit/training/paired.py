"""Compare two networks on the same images, with a standard error that respects shared digits.

Both networks see the same images, so what makes an image hard cancels in the difference. The images
are not independent, though: photodigits shows each handwritten digit in several of them. So the
standard error comes from resampling digits, not images. Leaves out: the variation between training
seeds, which only more networks show.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from labkit.data import Dataset, Split
from labkit.data.photodigits import digits_in_images

__all__ = ["Difference", "image_sources", "paired_difference"]


class Difference(NamedTuple):
    """A difference of two accuracies and its standard error, both in percentage points."""

    points: float
    standard_error: float


def image_sources(dataset: Dataset, part: Literal["validation", "test"]) -> NDArray[np.int64]:
    """Return what each image of a split was made from, ``(n, sources per image)``.

    For photodigits these are the handwritten digits; elsewhere each image is its own source.
    """
    if dataset.name.startswith("photodigits"):
        return digits_in_images(part, len(dataset.classes))
    split: Split = getattr(dataset, part)
    return np.arange(split.size)[:, None]


def paired_difference(
    first: ArrayLike, second: ArrayLike, sources: NDArray[np.int64], *, resamples: int = 1000, seed: int = 0
) -> Difference:
    """Return by how many points ``first`` is more accurate than ``second`` on the same images.

    The standard error is the standard deviation over bootstrap samples of the sources: each sample
    draws as many sources as there are, with replacement, and an image counts as often as the product
    of its sources was drawn (Owen 2007, "The pigeonhole bootstrap").

    Args:
        first: for each image whether it is correct, or the share of several networks for which it
            is, ``(n,)``.
        second: likewise, for the same images in the same order.
        sources: of :func:`image_sources`, ``(n, sources per image)``.
        resamples: bootstrap samples, at least 2.
        seed: of the samples.

    Raises:
        ValueError: if the three do not describe the same number of images, or there are too few samples.

    >>> sources = np.arange(4)[:, None]
    >>> paired_difference([1, 1, 1, 0], [1, 0, 1, 0], sources).points
    25.0
    """
    shapes = {np.shape(first), np.shape(second), sources.shape[:1]}
    if len(shapes) > 1 or sources.ndim != 2:
        raise ValueError(
            f"first, second and sources must describe the same images, got shapes "
            f"{np.shape(first)}, {np.shape(second)} and {sources.shape}."
        )
    if resamples < 2:
        raise ValueError(f"resamples must be at least 2, got {resamples}.")
    gain = 100 * (np.asarray(first, float) - np.asarray(second, float))
    rng = np.random.default_rng(seed)
    units, index = np.unique(sources, return_inverse=True)
    index = index.reshape(sources.shape)
    means = []
    for _ in range(resamples):
        counts = np.bincount(rng.integers(len(units), size=len(units)), minlength=len(units))
        weight = counts[index].prod(axis=1)
        if weight.any():
            means.append(float(np.average(gain, weights=weight)))
    return Difference(float(gain.mean()), float(np.std(means, ddof=1)))
