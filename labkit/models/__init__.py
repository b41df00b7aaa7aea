"""Network definitions, the modes of their modules, their inputs, and their prunable weights."""

from labkit.models.attention import MultiHeadAttention, attend, causal_mask, use_products
from labkit.models.convnet import ConvNet
from labkit.models.inputs import as_input, device_and_dtype
from labkit.models.modes import evaluation_mode, keep_modes
from labkit.models.resnet import ResNet20
from labkit.models.resnet18 import ResNet18
from labkit.models.transformer import (
    LanguageModel,
    Transformer,
    TransformerShape,
    greedy_decode,
    positional_encoding,
)
from labkit.models.trigram import TrigramModel
from labkit.models.vgg import VGG16
from labkit.models.weights import count_nonzero, prunable_weights, total_sparsity

__all__ = [
    "ConvNet",
    "LanguageModel",
    "MultiHeadAttention",
    "ResNet18",
    "ResNet20",
    "Transformer",
    "TransformerShape",
    "TrigramModel",
    "VGG16",
    "as_input",
    "attend",
    "causal_mask",
    "count_nonzero",
    "device_and_dtype",
    "evaluation_mode",
    "greedy_decode",
    "keep_modes",
    "positional_encoding",
    "prunable_weights",
    "total_sparsity",
    "use_products",
]
