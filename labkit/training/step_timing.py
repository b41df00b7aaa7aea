"""How long a training will take on this machine, from a few timed steps.

Leaves out: the training itself (:mod:`labkit.training.loop`).
"""

from __future__ import annotations

import copy
import time
from itertools import islice

from torch import nn

from labkit.data import Dataset, Split
from labkit.data.batches import batch_sizes
from labkit.environment import keep_random_state
from labkit.training.config import TrainConfig
from labkit.training.evaluate import evaluate
from labkit.training.loop import Callback, judged_by, prepare_optimizer, run_epoch, training_modes

__all__ = ["estimate_seconds"]

TIMED_STEPS, TIMED_SECONDS = 10, 3.0  # steps at most, and seconds after which no further one is timed


@keep_random_state()
def estimate_seconds(
    model: nn.Module, dataset: Dataset, config: TrainConfig, *, callback: Callback | None = None
) -> float:
    """Estimate how long :func:`labkit.training.loop.fit` takes with these arguments, from a few timed steps on a copy.

    The model and the global generators stay as they are. Left out are epochs before the schedule and what
    the callback does besides its loss, such as choosing masks: usually little.

    Args:
        model: the network to be trained.
        dataset, config: as for :func:`fit`.
        callback: another object than the one to train with. Its loss is computed, which may need a
            teacher's outputs.
    """
    copied = copy.deepcopy(model)
    optimizer, loss_only = prepare_optimizer(copied, config), Callback()
    if callback is not None:
        loss_only.loss = callback.loss  # type: ignore[method-assign]
    sizes = batch_sizes(dataset.images_per_epoch, config.batch_size)
    rates = [0.0] * len(sizes)  # the cost of a step does not depend on the rate
    times, start = list[float](), time.perf_counter()
    with training_modes(copied):
        for _ in islice(run_epoch(copied, dataset, config, optimizer, loss_only, 0, rates), TIMED_STEPS):
            times.append(time.perf_counter())
            if times[-1] - start > TIMED_SECONDS and len(times) > 1:
                break
        # subtle: the first step is slower than the others, but of a one-step epoch it is all there is.
        step_seconds = (times[-1] - times[0]) / (len(times) - 1) if len(times) > 1 else times[0] - start
        held_out = dataset.validation
        sample = Split(*(tensor[: 2 * config.batch_size] for tensor in held_out))
        evaluate(copied, dataset, sample)
        start = time.perf_counter()
        evaluate(copied, dataset, sample)
    image_seconds = (time.perf_counter() - start) / sample.size
    judged = (config.epochs - 1) * judged_by(dataset, last=False).size + held_out.size
    return config.epochs * len(sizes) * step_seconds + judged * image_seconds
