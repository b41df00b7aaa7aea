"""Dense networks for CIFAR that others trained, in the place of those that recipes train.

With ``LABKIT_DATASET=cifar`` and ``LABKIT_WEIGHTS=chenyaofo`` the recipes ``resnet20`` and ``vgg16`` are not
trained: their weights are those of chenyaofo's repository, stored in ``checkpoints/cifar10-chenyaofo/`` and
``cifar100-chenyaofo/``. What starts from them is trained here. Leaves out: the statistics by which the
images are normalized (:mod:`labkit.data.cifar`), and the backbone of lab 11
(:mod:`labkit.recipes.backbone`).

His augmentation is labkit's (shifts by up to 4 pixels over zeros, flips). His VGG16-BN has labkit's layers
under the same names; his ResNet-20 has 1×1 convolutions in its two shortcuts, where labkit's own pads with
zeros, so it has 22 prunable layers instead of 20.
"""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import asdict, dataclass

from torch import nn

from labkit import settings
from labkit.data import Dataset
from labkit.environment import environment_stamp
from labkit.models.resnet import from_chenyaofo
from labkit.models.vgg import vgg16_from_state
from labkit.models.weight_files import published_state, read_state
from labkit.recipes.network import file_format, round_weights
from labkit.recipes.recipe import Recipe
from labkit.recipes.records import network_facts
from labkit.storage import checkpoints

__all__ = ["PUBLIC_NETWORKS", "PublicNetwork", "import_network", "public_hash", "public_network"]

RELEASES = "https://github.com/chenyaofo/pytorch-cifar-models/releases/download"
REMARK = (
    "These weights were trained on all 50,000 training images, so accuracies on validation images are those "
    "on training images; the published accuracy is that of the best of 200 epochs on the test images."
)


@dataclass(frozen=True)
class PublicNetwork:
    """A network that its author published: where, and the accuracies (%) on test images that he reports."""

    url: str
    reported_top1: float
    reported_top5: float


# By recipe and number of classes. Addresses and accuracies stand in the README of the repository.
PUBLIC_NETWORKS = {
    ("resnet20", 10): PublicNetwork(f"{RELEASES}/resnet/cifar10_resnet20-4118986f.pt", 92.60, 99.81),
    ("resnet20", 100): PublicNetwork(f"{RELEASES}/resnet/cifar100_resnet20-23dac2f1.pt", 68.83, 91.01),
    ("vgg16", 10): PublicNetwork(f"{RELEASES}/vgg/cifar10_vgg16_bn-6ee7ea24.pt", 94.16, 99.71),
    ("vgg16", 100): PublicNetwork(f"{RELEASES}/vgg/cifar100_vgg16_bn-7d8c4031.pt", 74.00, 90.56),
}


def public_network(recipe: Recipe, dataset: Dataset) -> PublicNetwork | None:
    """Return the network that ``$LABKIT_WEIGHTS`` puts in the place of ``recipe``'s; None: it is trained.

    Raises:
        ValueError: if the variable asks for a network of CIFAR, and ``dataset`` is another one.
        FileNotFoundError: if the variable names a file that does not exist.
    """
    network = PUBLIC_NETWORKS.get((recipe.name, len(dataset.classes)))
    chosen = settings.external_weights() if network else None
    if chosen is None or chosen.source != "chenyaofo":
        return None
    if not dataset.name.endswith("-chenyaofo"):
        raise ValueError(
            f"LABKIT_WEIGHTS asks for chenyaofo's networks, which know CIFAR only, and the data set is "
            f"{dataset.name}; set LABKIT_DATASET=cifar, or unset LABKIT_WEIGHTS."
        )
    return network


def public_hash(network: PublicNetwork) -> str:
    """Return what takes the place of a recipe's hash."""
    return hashlib.sha256(json.dumps(asdict(network)).encode()).hexdigest()[:16]


def import_network(network: PublicNetwork, recipe: Recipe, dataset: Dataset) -> None:
    """Store a public network as the checkpoint of ``recipe``, with what is measured on it here.

    The weights come from the file that ``$LABKIT_WEIGHTS`` names, if it is this network's, or from
    ``data/weights/``, or are downloaded to it.

    Raises:
        ValueError: if the file's hash or contents are wrong.
        RuntimeError: if the download fails.
    """
    model = _load(network, recipe)
    state = round_weights(model.state_dict(), recipe.network)
    model.load_state_dict(state)
    model.to(settings.choose_device()).eval()
    facts = {
        "recipe": {"name": recipe.name, **asdict(network), "remark": REMARK},
        "recipe_hash": public_hash(network),
        **network_facts(model, dataset),
        "loss_prefix": [],
        "seconds": 0.0,
        "environment": environment_stamp(),
        "epochs": [],
    }
    entry = checkpoints.write_checkpoint(
        dataset.store, recipe.name, state, facts, file_format(recipe.network, model), shipped=False
    )
    print(  # noqa: T201
        f"{recipe.name}: {network.url}, {entry.test_top1:.2f} % of the test images, {network.reported_top1:.2f} % "
        f"reported. {REMARK}",
        file=sys.stderr,
    )


def _load(network: PublicNetwork, recipe: Recipe) -> nn.Module:
    """Return the network with its published weights, on the CPU."""
    chosen = settings.external_weights()
    name = network.url.rpartition("/")[2]
    file = None if chosen is None else chosen.file
    if file is not None and file.name.partition("-")[0] == name.partition("-")[0]:
        if file.name != name:
            raise ValueError(f"{file} is not the published file {name}, which its name must say.")
        state = read_state(file, network.url)
    else:
        state = published_state(
            network.url,
            settings.weights_dir(),
            otherwise="unset LABKIT_WEIGHTS to train the network here",
        )
    return from_chenyaofo(state) if recipe.network == "resnet20" else vgg16_from_state(state)
