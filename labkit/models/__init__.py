"""Network definitions, the modes of their modules, their inputs, and their prunable weights."""

from labkit.models.inputs import as_input, device_and_dtype
from labkit.models.modes import evaluation_mode, keep_modes
from labkit.models.resnet import ResNet20
from labkit.models.vgg import VGG16
from labkit.models.weights import count_nonzero, prunable_weights, total_sparsity

__all__ = [
    "ResNet20",
    "VGG16",
    "as_input",
    "count_nonzero",
    "device_and_dtype",
    "evaluation_mode",
    "keep_modes",
    "prunable_weights",
    "total_sparsity",
]
