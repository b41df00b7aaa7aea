"""Network definitions, the modes of their modules, and their prunable weights."""

from labkit.models.modes import evaluation_mode, keep_modes
from labkit.models.resnet import ResNet20
from labkit.models.vgg import VGG16
from labkit.models.weights import count_nonzero, prunable_weights, total_sparsity

__all__ = [
    "ResNet20",
    "VGG16",
    "count_nonzero",
    "evaluation_mode",
    "keep_modes",
    "prunable_weights",
    "total_sparsity",
]
