"""Training, evaluation and distillation."""

from labkit.training.config import Cut, EpochRecord, ScheduledConfig, TrainConfig
from labkit.training.evaluate import Evaluation, correct_images, evaluate
from labkit.training.live import EpochDots, fast_forward, for_live_training, training_batches
from labkit.training.loop import Callback, fit

__all__ = [
    "Callback",
    "Cut",
    "EpochDots",
    "EpochRecord",
    "Evaluation",
    "ScheduledConfig",
    "TrainConfig",
    "correct_images",
    "evaluate",
    "fast_forward",
    "fit",
    "for_live_training",
    "training_batches",
]
