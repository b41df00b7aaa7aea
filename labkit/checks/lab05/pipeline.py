"""05.5: a student's pipeline, run on small networks whose training takes seconds.

Images are scikit-learn's 8 × 8 digits. Size is the entropy bound of 05.2, with half precision for
everything else and an allowance for what a file holds beside it; the hidden cell counts a file's bytes.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from labkit.checks.expect import Case, Expect
from labkit.checks.lab05.entropy import entropy_bound
from labkit.data import Dataset, Split
from labkit.data.dataset import channel_statistics
from labkit.training import TrainConfig, evaluate, fit
from labkit.training.budget import TrainingBudget

__all__ = ["MAX_POINTS_LOST", "MIN_RATIO", "SmallTask", "compress_network", "small_task"]

MIN_RATIO, MAX_POINTS_LOST = 30.0, 4.0
TRAINING_IMAGES = 1_200  # of 1,797; the others are for validation
OVERHEAD_BITS = 8 * 250  # names, shapes, code tables, checksum

SIZE = "keep fewer weights or fewer values: compute the bits per weight with your bound before you train"
ACCURACY = "train after pruning, and after sharing too; prune in several cuts; or keep a few more weights"
SAME_LAYERS = "return a network with the given layers: unshare_layers turns codebooks into weights"
ZEROS = "a negative weight times 0 is −0.0, another value for a file; use masked_fill_ or apply_masks"
UNTOUCHED = (
    "work on a copy.deepcopy of the network: the given one is still needed, as teacher or to compare"
)


@dataclass(frozen=True)
class SmallTask:
    """A data set of digits, a dense network trained on it, and its validation accuracy in per cent."""

    dataset: Dataset
    network: nn.Module
    top1: float

    @property
    def dense_bytes(self) -> int:
        """The size of the network's floating-point tensors."""
        return sum(t.nbytes for t in self.network.state_dict().values() if t.is_floating_point())

    def points_lost(self, network: nn.Module) -> float:
        """Return how many points of validation accuracy another network is below the dense one."""
        return self.top1 - evaluate(network, self.dataset, self.dataset.validation).top1


@functools.cache
def small_task(widths: tuple[int, int, int], seed: int) -> SmallTask:
    """Train a dense network of three convolutions, which have these widths, and a linear layer."""
    dataset, (first, second, third) = _digits(), widths
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.AvgPool2d(4),  # back to 8 × 8
        *_block(3, first, stride=1),
        *_block(first, second, stride=2),
        *_block(second, third, stride=2),
        nn.Flatten(),
        nn.Linear(4 * third, 10),
    )
    config = TrainConfig(epochs=12, batch_size=64, peak_lr=0.1, seed=seed)
    fit(network, dataset, config, progress=False)
    return SmallTask(dataset, network.eval(), evaluate(network, dataset, dataset.validation).top1)


def compress_network(expect: Expect, answer: Callable[..., Any]) -> None:
    """05.5: the network that comes back has the given layers, few bytes, and nearly the accuracy."""
    for widths, seed, epochs, is_judged in (((8, 12, 16), 1, 4, False), ((16, 32, 48), 0, 16, True)):
        task = small_task(widths, seed)
        network = copy.deepcopy(task.network)
        budget = TrainingBudget(task.dataset, epochs, batch_size=64, seed=seed)
        case = expect.given(
            f"a network with convolutions of {widths} channels for 8 × 8 digits, a budget of {epochs} epochs"
        )
        got = case.call(answer, network, budget, hint="return a network; see the docstring")
        is_network = isinstance(got, nn.Module)
        case.true(is_network, expected="an nn.Module", got=type(got).__name__, hint=SAME_LAYERS)
        _has_the_layers_of(case, got, task.network)
        states = network.state_dict(), task.network.state_dict()
        same = all(torch.equal(*pair) for pair in zip(*(state.values() for state in states), strict=True))
        case.true(same, expected="the given network unchanged", got="other values", hint=UNTOUCHED)
        if is_judged:
            ratio, lost = 8 * task.dense_bytes / _size_bits(got.state_dict()), task.points_lost(got)
            text, got_text = (
                f"at least {MIN_RATIO:g} times smaller",
                f"{ratio:.1f} times, {lost:.1f} points lost",
            )
            case.true(ratio >= MIN_RATIO, expected=text, got=got_text, hint=SIZE)
            text = f"at most {MAX_POINTS_LOST:g} points of validation accuracy lost"
            case.true(lost <= MAX_POINTS_LOST, expected=text, got=got_text, hint=ACCURACY)


def _has_the_layers_of(case: Case, network: nn.Module, dense: nn.Module) -> None:
    """Check names, shapes and types of the state, and that its values are finite."""
    form, expected = (
        {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in state.items()}
        for state in (network.state_dict(), dense.state_dict())
    )
    wrong = [name for name in {**expected, **form} if form.get(name) != expected.get(name)]
    case.true(
        not wrong, expected="the given network's tensors", got=f"others: {wrong[:4]}", hint=SAME_LAYERS
    )
    weights = [tensor for tensor in network.state_dict().values() if tensor.ndim >= 2]
    negative = sum(int((weight.signbit() & (weight == 0)).sum()) for weight in weights)
    case.true(not negative, expected="zeros that are 0.0", got=f"{negative} times −0.0", hint=ZEROS)
    finite = all(bool(torch.isfinite(tensor).all()) for tensor in network.state_dict().values())
    case.true(finite, expected="finite values", got="NaN or infinity", hint="lower the learning rate")


def _size_bits(state: dict[str, Tensor]) -> float:
    """Return the bound of the weights, 16 bits for each shared value or other number, and the overhead.

    A tensor with more than 256 values has no codebook: 16 bits for each kept weight. Of the four vectors of
    a batch normalization a file needs two.
    """
    bits = float(OVERHEAD_BITS)
    for name, tensor in state.items():
        if tensor.ndim >= 2:
            symbols = tensor.flatten().tolist()
            values, kept = len(set(symbols) - {0.0}), int(tensor.count_nonzero())
            mask_bits, value_bits = (part * len(symbols) for part in entropy_bound(symbols))
            bits += mask_bits + (value_bits + 16 * values if values <= 256 else 16 * kept)
        elif not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            bits += 16 * tensor.numel()
    return bits


def _block(inputs: int, outputs: int, *, stride: int) -> list[nn.Module]:
    """Return a convolution, its batch normalization and ReLU."""
    convolution = nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)
    return [convolution, nn.BatchNorm2d(outputs), nn.ReLU()]


def _digits() -> Dataset:
    """Return scikit-learn's digits as images of 32 × 32 pixels, each digit's pixel four wide and high."""
    raw = load_digits()
    grey = torch.from_numpy(raw.images * 15).to(torch.uint8).repeat_interleave(4, 1).repeat_interleave(4, 2)
    images, labels = grey[:, None].repeat(1, 3, 1, 1), torch.from_numpy(raw.target).long()
    train = Split(images[:TRAINING_IMAGES], labels[:TRAINING_IMAGES])
    held = Split(images[TRAINING_IMAGES:], labels[TRAINING_IMAGES:])
    mean, std = channel_statistics(train.images)
    return Dataset("digits", train, held, held, tuple("0123456789"), mean, std, flip=False)
