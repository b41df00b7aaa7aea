"""Network definitions, their evaluation mode, and their prunable weights."""

from labkit.models.evaluation_mode import evaluation_mode
from labkit.models.resnet import ResNet20
from labkit.models.vgg import VGG16
from labkit.models.weights import count_nonzero, prunable_weights, total_sparsity

__all__ = ["ResNet20", "VGG16", "count_nonzero", "evaluation_mode", "prunable_weights", "total_sparsity"]
