"""The backbone of lab 11: a ResNet-18 that has been trained on other images than the task's.

``$LABKIT_WEIGHTS`` chooses it (:func:`labkit.settings.external_weights`). Unset: the checkpoint that the lab
names, trained on photoletters. ``imagenet``: torchvision's ResNet-18 for ImageNet through torch.hub. The
path of a file: ImageNet's weights from there. ``chenyaofo`` has no ResNet-18 and means the checkpoint.
"""

from __future__ import annotations

from typing import NamedTuple

from labkit import settings
from labkit.data import load_dataset
from labkit.models import ResNet18
from labkit.models.resnet18 import imagenet_resnet18
from labkit.recipes.loading import fit_or_load

__all__ = ["Backbone", "load_backbone"]


class Backbone(NamedTuple):
    """A trained network in evaluation mode, on the CPU or GPU in use, and the name that tables give it."""

    model: ResNet18
    name: str


def load_backbone(name: str) -> Backbone:
    """Return the backbone that ``$LABKIT_WEIGHTS`` chooses, with the classifier of its own task.

    Args:
        name: of the recipe that is used if the variable is unset, such as ``"resnet18-quarter"``.

    Raises:
        FileNotFoundError: if the variable names a file that does not exist.
        ValueError: if the file's hash or contents are wrong.
        RuntimeError: if a download fails, or the shipped weights are damaged.
    """
    chosen = settings.external_weights()
    if chosen is None or chosen.source != "imagenet":
        model = fit_or_load(name, load_dataset(52))
        assert isinstance(model, ResNet18)
        return Backbone(model, "ResNet-18, quarter width, photoletters")
    model = imagenet_resnet18(chosen.file)
    return Backbone(model.to(settings.choose_device()).eval(), "ResNet-18, ImageNet")
