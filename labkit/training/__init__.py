"""Training, evaluation and distillation."""

from labkit.training.evaluate import Evaluation, evaluate
from labkit.training.loop import Callback, EpochRecord, TrainConfig, fit

__all__ = ["Callback", "EpochRecord", "Evaluation", "TrainConfig", "evaluate", "fit"]
