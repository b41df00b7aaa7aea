"""The network of a recipe: before its first training step, and around its stored weights."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from labkit.data import Dataset
from labkit.environment import keep_random_state, seed_everything
from labkit.models import VGG16, ConvNet, ResNet18, ResNet20, total_sparsity
from labkit.models.convnet import CONVNET_CHANNELS
from labkit.models.vgg import VGG16_CHANNELS, vgg16_from_state
from labkit.recipes.recipe import Network, Recipe
from labkit.storage import checkpoints
from labkit.storage.checkpoints import FileFormat
from labkit.training import Callback

__all__ = [
    "build_network",
    "file_format",
    "load_network",
    "restored_model",
    "round_weights",
    "starting_model",
    "training_callback",
]

NARROW_DIVISOR = 4  # the narrow VGG16 has its channels divided by this
VGG: tuple[Network, ...] = ("vgg16", "vgg16-narrow")
LARGE: tuple[Network, ...] = (*VGG, "resnet18-quarter")  # stored as containers, weights in half precision


def build_network(network: Network, class_count: int) -> nn.Module:
    """Return a network with random weights, drawn from PyTorch's global generator."""
    if network == "resnet20":
        return ResNet20(class_count)
    if network == "resnet18-quarter":
        return ResNet18(class_count, width=0.25)
    if network in ("convnet", "convnet-half"):
        divisor = 2 if network == "convnet-half" else 1
        return ConvNet(class_count, channels=[count // divisor for count in CONVNET_CHANNELS])
    divisor = NARROW_DIVISOR if network == "vgg16-narrow" else 1
    return VGG16(class_count, channels=[count // divisor for count in VGG16_CHANNELS])


@keep_random_state()  # the random weights are replaced
def load_network(network: Network, checkpoint: str, dataset: Dataset) -> nn.Module:
    """Return a network with the stored weights ``checkpoint``.

    A VGG16 may have fewer channels, and a ResNet-20 of others 1×1 convolutions in its shortcuts.

    Raises:
        CheckpointError: if they are missing or damaged.
    """
    state = checkpoints.read_weights(dataset.store, checkpoint)
    if network in VGG:
        return vgg16_from_state(state)
    if network == "resnet20" and any(".shortcut." in name for name in state):
        model: nn.Module = ResNet20(len(dataset.classes), shortcut="projection")
    else:
        model = build_network(network, len(dataset.classes))
    model.load_state_dict(state)
    return model


@keep_random_state()
def starting_model(recipe: Recipe, dataset: Dataset) -> nn.Module:
    """Return the model before its first training step.

    Its weights are those of the recipe's start, or random by the recipe's seed; then every step
    prepares it.
    """
    seed_everything(recipe.config.seed)
    if recipe.start is None:
        model = build_network(recipe.network, len(dataset.classes))
    else:
        model = load_network(recipe.network, recipe.start, dataset)
    for step in recipe.steps:
        model = step.prepare(model, recipe, dataset)
    return model


def training_callback(recipe: Recipe, dataset: Dataset) -> Callback:
    """Return what acts on the model while it trains."""
    callback = Callback()
    for step in recipe.steps:
        callback = step.callback(callback, recipe, dataset)
    return callback


def restored_model(recipe: Recipe, dataset: Dataset) -> nn.Module:
    """Return the network that the stored weights of ``recipe`` describe.

    Raises:
        CheckpointError: if they are missing or damaged.
    """
    model = load_network(recipe.network, recipe.name, dataset)
    for step in recipe.steps:
        model = step.restore(model)
    return model


def round_weights(state: Mapping[str, Tensor], network: Network) -> dict[str, Tensor]:
    """Return the state to store: the weights of a large network in half precision, the rest as it is."""
    return {
        name: tensor.half() if network in LARGE and tensor.ndim > 1 else tensor
        for name, tensor in state.items()
    }


def file_format(network: Network, model: nn.Module) -> FileFormat:
    """Choose a container for large networks and for those mostly zero, else safetensors."""
    return "lkc" if network in LARGE or total_sparsity(model) > 0.5 else "safetensors"
