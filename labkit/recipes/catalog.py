"""What each shipped checkpoint starts from, how it is pruned and quantized, and how it is trained.

Leaves out: what a recipe may hold (parts), and the training (make).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from labkit.pruning.callbacks import linear_ramp
from labkit.pruning.saliency import Rule
from labkit.recipes.parts import (
    Channels,
    Distillation,
    Pruning,
    Quantization,
    Recipe,
    Saliency,
    Sharing,
)
from labkit.training import TrainConfig

__all__ = ["RECIPES"]

RETRAINING = TrainConfig(epochs=20, peak_lr=0.05, warmup=0.1)
DENSE = "resnet20"
PRUNED = "resnet20-global-80"
VGG = "vgg16"
VGG_RETRAINING = TrainConfig(epochs=3, batch_size=64, peak_lr=0.01, warmup=0.1)
# Without batch norm in its classifier VGG16 needs small steps, many of them, and a long warm-up.
VGG_TRAINING = TrainConfig(epochs=13, batch_size=64, peak_lr=0.03, warmup=0.3)


def _pruned() -> Iterator[Recipe]:
    """Lab 02: a dense network, and what magnitude pruning makes of it."""
    yield Recipe(DENSE, "ResNet-20, dense", TrainConfig())
    for s in (0.25, 0.5, 1.0):
        text = f"pruned below {s} standard deviations a layer, retrained"
        yield Recipe(f"resnet20-deviation-{s}", text, RETRAINING, DENSE, Pruning("deviation", (s,)))
    for percent in (25, 50, 75):
        text = f"{percent} % of every layer pruned, retrained"
        pruning = Pruning("layer", (percent / 100,))
        yield Recipe(f"resnet20-magnitude-{percent}", text, RETRAINING, DENSE, pruning)
    ramp = tuple(linear_ramp(0.8, 10))
    text = "80 % of every layer pruned at once, retrained"
    yield Recipe("resnet20-oneshot-80", text, RETRAINING, DENSE, Pruning("layer", (0.8,)))
    text = "8 % more of every layer pruned each epoch up to 80 %"
    yield Recipe("resnet20-iterative-80", text, RETRAINING, DENSE, Pruning("layer", ramp))
    text = "8 % more of all weights pruned each epoch up to 80 %"
    yield Recipe(PRUNED, text, RETRAINING, DENSE, Pruning("global", ramp))


def _quantized() -> Iterator[Recipe]:
    """Lab 03: quantization-aware fine-tuning of the dense and of the globally pruned network."""
    for bits in (5, 4, 3, 2):
        quantization = Quantization(bits, "asymmetric")
        text = f"{bits}-bit residual blocks, fine-tuned"
        yield Recipe(f"resnet20-quantized-{bits}", text, RETRAINING, DENSE, quantization=quantization)
        text = f"80 % of all weights pruned, {bits}-bit residual blocks, fine-tuned"
        yield Recipe(
            f"{PRUNED}-quantized-{bits}", text, RETRAINING, PRUNED, Pruning("global", ()), quantization
        )


def _compressed() -> Iterator[Recipe]:
    """Lab 05: the classic pipeline, and the recipe for the smallest file, with three seeds."""
    start, short = DENSE, replace(RETRAINING, epochs=10)
    for percent in (50, 60, 64):
        name, pruning = f"resnet20-pipeline-{percent}", Pruning("layer", (percent / 100,))
        yield Recipe(name, f"{percent} % of every layer pruned, 10 epochs", short, start, pruning)
        start = name
    for seed in (1, 2):
        config, pruning = replace(RETRAINING, seed=seed), Pruning("global", tuple(linear_ramp(0.8, 10)))
        yield Recipe(f"{PRUNED}-seed{seed}", f"as {PRUNED}, seed {seed}", config, DENSE, pruning)
    teacher = Distillation(DENSE, weight=0.9, temperature=4.0)
    ramp = tuple(linear_ramp(0.9, 12))
    for seed in (0, 1, 2):
        sparse, config = f"resnet20-distilled-90-seed{seed}", replace(RETRAINING, epochs=30, seed=seed)
        text = f"90 % of all weights pruned in 12 epochs, taught by the dense network, seed {seed}"
        yield Recipe(sparse, text, config, DENSE, Pruning("global", ramp), distillation=teacher)
        text = f"the same with 6 shared values a layer, seed {seed}"
        config = replace(RETRAINING, epochs=12, peak_lr=0.01, seed=seed)
        name = f"resnet20-shared-90-seed{seed}"
        yield Recipe(name, text, config, sparse, sharing=Sharing(6), distillation=teacher)


def _vgg() -> Iterator[Recipe]:
    """Labs 06 to 09: VGG16-BN on both sets."""
    both = (10, 100)
    dense = Recipe(VGG, "VGG16-BN, dense", VGG_TRAINING, network="vgg16", class_counts=both)
    short = replace(VGG_TRAINING, epochs=6, warmup=0.2)
    yield replace(dense, hundred=replace(dense, config=short, features=VGG))
    yield Recipe(
        "vgg16-sensitivity-90",
        "90 % of all weights pruned, each layer by its sensitivity, fine-tuned",
        VGG_RETRAINING,
        VGG,
        pruning=Pruning("sensitivity", (0.9,)),
        network="vgg16",
        class_counts=both,
    )
    yield Recipe(
        "vgg16-channels",
        "3.5 times fewer MACs: channels chosen by the LASSO, each layer reconstructed, fine-tuned",
        VGG_RETRAINING,
        VGG,
        network="vgg16",
        class_counts=both,
        channels=Channels((64, 48, 64, 64, 128, 128, 128) + (192,) * 6),
    )
    narrow = Recipe(
        "vgg16-narrow",
        "VGG16-BN with a quarter of the channels, dense, without dropout",
        replace(VGG_TRAINING, epochs=36, warmup=0.1),
        network="vgg16-narrow",
        dropout=0.0,
    )
    yield narrow
    # The rate rises for the first 12 epochs: each cut puts the network back to chance for some of them.
    staged = replace(VGG_TRAINING, epochs=30, warmup=0.4)
    grasp = replace(
        narrow,
        name="vgg16-grasp-80",
        description="80 % of all weights pruned by GraSP, in the convolutions, at 20, 40 and 60 % accuracy",
        config=staged,
        network="vgg16",
        saliency=Saliency((0.4, 0.6, 0.8)),
        class_counts=both,
    )
    yield replace(grasp, hundred=replace(grasp, config=replace(staged, epochs=40, warmup=0.3)))
    config = replace(VGG_TRAINING, epochs=15, warmup=0.1)
    tuned = replace(
        narrow,
        name="vgg16-grasp-80-tuned",
        description="80 % pruned by GraSP, trained on",
        config=config,
        start=grasp.name,
        pruning=Pruning("global", ()),
        network="vgg16",
        class_counts=both,
    )
    yield replace(tuned, hundred=replace(tuned, config=replace(config, epochs=8)))
    rules: tuple[Rule, ...] = ("grasp", "snip", "magnitude", "random")
    for rule in rules:
        yield replace(
            narrow,
            name=f"vgg16-narrow-{rule}-70",
            description=f"the narrow network, 70 % pruned in the same three steps by {rule}",
            config=staged,
            saliency=Saliency((0.35, 0.525, 0.7), rule=rule),
        )
    teacher = Distillation(VGG, weight=0.9, temperature=4.0)
    config = replace(VGG_RETRAINING, epochs=8, peak_lr=0.02)
    ramp = Pruning("global", tuple(linear_ramp(0.988, 5)))
    text = "98.8 % of all weights pruned in 5 epochs, taught by the dense network"
    yield Recipe("vgg16-distilled-98.8", text, config, VGG, ramp, distillation=teacher, network="vgg16")
    text = "very sparse, 6 or 8 shared values a layer, taught by the dense network"
    config = replace(VGG_RETRAINING, epochs=5)
    shared = Recipe(
        "vgg16-shared",
        text,
        config,
        "vgg16-distilled-98.8",
        sharing=Sharing(6),
        distillation=teacher,
        network="vgg16",
        class_counts=both,
        dropout=0.0,
    )
    hundred = replace(
        shared,
        config=replace(VGG_RETRAINING, epochs=3, peak_lr=0.003),
        start="vgg16-sensitivity-90",
        sharing=Sharing(8),
        dropout=None,
    )
    yield replace(shared, hundred=hundred)


PARTS = (_pruned, _quantized, _compressed, _vgg)
RECIPES = {recipe.name: recipe for part in PARTS for recipe in part()}
