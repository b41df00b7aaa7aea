"""Every shipped checkpoint as a recipe, in an order in which they can be made.

The pair of name and class count identifies an entry. Leaves out: what a recipe may hold
(:mod:`labkit.recipes.recipe`, :mod:`labkit.recipes.steps`), and the training
(:mod:`labkit.recipes.training`).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from labkit.pruning.callbacks import linear_ramp
from labkit.pruning.saliency import Rule
from labkit.recipes.recipe import Network, Recipe, Step
from labkit.recipes.steps import (
    AddLora,
    CopyBackbone,
    CutChannels,
    Distill,
    FewImages,
    KeepZeros,
    PruneBeforeSchedule,
    PruneByDeviation,
    PruneByMagnitude,
    PruneBySaliency,
    PruneBySensitivity,
    PruneConvolutions,
    Quantize,
    SetChannels,
    SetDropout,
    ShareValues,
    TrainOnly,
)
from labkit.training import ScheduledConfig, TrainConfig
from labkit.training.schedules import Cosine, MultiStep, Schedule

__all__ = ["CATALOG", "RECIPES", "find_recipe"]

RETRAINING = TrainConfig(epochs=20, peak_lr=0.05, warmup=0.1)
VGG_RETRAINING = TrainConfig(epochs=3, batch_size=64, peak_lr=0.01, warmup=0.1)
# Without batch norm in its classifier VGG16 needs small steps, many of them, and a long warm-up. The epochs
# are those of vgg16-grasp-80 and vgg16-grasp-80-tuned together on 10 classes; networks that are cut and then
# fine-tuned, like those two on 100 classes, have three more, and so have their controls.
VGG_TRAINING = TrainConfig(epochs=45, batch_size=64, peak_lr=0.03, warmup=0.2)
VGG_LONGER = replace(VGG_TRAINING, epochs=48)
NO_DROPOUT = SetDropout(0.0)

# Lab 09: output channels of the 13 convolutions, by how many times fewer multiply-accumulates they take.
CHANNELS: dict[str, tuple[int, ...]] = {
    "3.5": (64, 48, 64, 64, 128, 128, 128, 192, 192, 192, 192, 192, 192),
    "7": (48, 32, 48, 48, 88, 88, 88, 136, 136, 136, 136, 136, 136),
    "14": (32, 24, 32, 32, 64, 64, 64, 88, 88, 88, 88, 88, 88),
}

# Half the budget of RETRAINING: 27 networks are trained with it.
SHORT_RETRAINING = TrainConfig(epochs=10, peak_lr=0.05, warmup=0.1)

# Lab 08: 42 networks are trained with it, 36 of them after their last cut.
NARROW_TRAINING = TrainConfig(epochs=30, batch_size=64, peak_lr=0.03, warmup=0.2)
RULES: tuple[Rule, ...] = ("grasp", "snip", "magnitude", "random", "grasp-shares")

RAMP_TO_80 = tuple(linear_ramp(0.8, 10))
RAMP_TO_90 = tuple(linear_ramp(0.9, 12))
RAMP_TO_97 = (0.6, 0.8, 0.9, 0.95, 0.97)  # each cut leaves about half
STAGES = (20.0, 40.0, 60.0)  # training accuracies in per cent
CLASSIFIER = ("classifier.0", "classifier.3", "classifier.6")  # of VGG16

# Lab 10: times and factor as in its source.
STEPS_DOWN = MultiStep((0.3, 0.6, 0.8))

# Lab 11: what is trained on the new task, by the name of the way; with it the peak learning rate.
CLASSIFIER_ALONE = TrainOnly(r"fc\..*")
BIASES = TrainOnly(r"fc\..*|.*\.bias")
CONVOLUTIONS = r"layer\d\.\d\.conv\d"  # the sixteen of the residual blocks
TRANSFERS: dict[str, tuple[str, tuple[Step, ...], float]] = {
    "scratch": ("all weights, random at the start", (), 0.03),
    "full": ("all weights", (), 0.02),
    "frozen": ("the classifier", (CLASSIFIER_ALONE,), 0.1),
    "bias": ("the classifier and all biases", (BIASES,), 0.1),
    "headlora8": ("LoRA of rank 8 on a random classifier", (TrainOnly(r"fc\.bias"), AddLora("fc", 8)), 0.1),
    **{
        f"lora{rank}": (
            f"the classifier and LoRA of rank {rank} in the convolutions",
            (CLASSIFIER_ALONE, AddLora(CONVOLUTIONS, rank)),
            0.1,
        )
        for rank in (1, 2, 4, 8, 16)
    },
}
RANK_SWEEP = ("lora1", "lora2", "lora8", "lora16")  # with 50 images per class only


def _pruned(way: Literal["oneshot", "iterative", "global"], percent: int, seed: int) -> Recipe:
    """Return lab 02's recipe for a very sparse ResNet-20: by one of three ways, equal budgets."""
    share = percent / 100
    ramp = tuple(linear_ramp(share, 5))
    step, description = {
        "oneshot": (PruneByMagnitude("layer", (share,)), f"{percent} % of every layer pruned at once"),
        "iterative": (PruneByMagnitude("layer", ramp), f"{percent} % of every layer pruned in 5 epochs"),
        "global": (PruneByMagnitude("global", ramp), f"{percent} % of all weights pruned in 5 epochs"),
    }[way]
    return Recipe(
        name=f"resnet20-{way}-{percent}-seed{seed}",
        description=f"{description}, retrained for 10 epochs in all, seed {seed}",
        network="resnet20",
        start="resnet20",
        steps=(step,),
        config=replace(SHORT_RETRAINING, seed=seed),
        class_counts=(10,),
    )


def _cut_by_rule(
    rule: Rule, way: Literal["once", "staged"], seed: int, *, everywhere: bool = False
) -> Recipe:
    """Return lab 08's recipe for a narrow VGG16 without 70 % of its weights, 95 % of its convolutions.

    However many epochs the stages take, training goes on for 30 after the last cut. ``everywhere`` cuts
    the classifier, too.
    """
    arm = f"{rule}-everywhere" if everywhere else rule
    sparsities, accuracies, description = {
        "once": ((0.7,), (0.0,), "before training"),
        "staged": ((0.35, 0.525, 0.7), STAGES, "at 20, 40 and 60 % accuracy"),
    }[way]
    return Recipe(
        name=f"vgg16-narrow-{arm}-{way}-seed{seed}",
        description=f"vgg16-narrow, 70 % pruned by {arm} {description}, then 30 epochs, seed {seed}",
        network="vgg16-narrow",
        start=None,
        steps=(
            NO_DROPOUT,
            PruneBeforeSchedule(
                rule, sparsities, accuracies, () if everywhere else CLASSIFIER, rate=0.03, epochs=30
            ),
        ),
        config=replace(NARROW_TRAINING, seed=seed),
        class_counts=(10,),
        shipped=False,
    )


def _dense_narrow(epochs: int, seed: int) -> Recipe:
    """Return lab 08's recipe for the same network, dense, with as many epochs as the pruned ones in all."""
    return Recipe(
        name=f"vgg16-narrow-dense-{epochs}-seed{seed}",
        description=f"vgg16-narrow, dense, {epochs} epochs, seed {seed}",
        network="vgg16-narrow",
        start=None,
        steps=(NO_DROPOUT,),
        config=replace(NARROW_TRAINING, epochs=epochs, seed=seed),
        class_counts=(10,),
        shipped=False,
    )


def _convnet(
    name: str,
    description: str,
    seed: int,
    *,
    schedule: Schedule = STEPS_DOWN,
    step: Step | None = None,
    network: Network = "convnet",
) -> Recipe:
    """Return a recipe of lab 10: a ConvNet from random weights, by one schedule, pruned or not."""
    return Recipe(
        name=f"convnet-{name}-seed{seed}",
        description=f"ConvNet, {description}, seed {seed}",
        network=network,
        start=None,
        steps=() if step is None else (step,),
        config=ScheduledConfig(epochs=50, peak_lr=0.1, schedule=schedule, seed=seed),
        class_counts=(10,),
        shipped=False,
    )


def _convnets(seed: int) -> tuple[Recipe, ...]:
    """Return the recipes of lab 10 for one seed.

    The source of the lab trains for 100 epochs and prunes at epochs 10 to 50; these are 50 and 5 to 25.
    """
    filters = PruneConvolutions("filters", every=5)
    return (
        _convnet("multistep", "multi-step schedule", seed),
        _convnet("cosine", "cosine schedule over the budget", seed, schedule=Cosine()),
        _convnet("cosine-double", "cosine schedule over twice the budget", seed, schedule=Cosine(2.0)),
        _convnet("filters-50", "50 % of the filters pruned by epoch 25", seed, step=filters),
        _convnet(
            "weights-50",
            "50 % of the weights pruned by epoch 25",
            seed,
            step=PruneConvolutions("weights", every=5),
        ),
        _convnet(
            "filters-50-cosine",
            "50 % of the filters pruned by epoch 25, cosine schedule",
            seed,
            schedule=Cosine(),
            step=filters,
        ),
        _convnet(
            "weights-75",
            "75 % of the weights pruned by epoch 25: as many left as without half of the filters",
            seed,
            step=PruneConvolutions("weights", amount=0.15, every=5),
        ),
        _convnet("half", "half of the channels in every layer, dense", seed, network="convnet-half"),
    )


def _transferred(way: str, per_class: int, seed: int) -> Recipe:
    """Return lab 11's recipe for a backbone that has seen letters and learns the ten digits."""
    description, steps, peak_lr = TRANSFERS[way]
    if way != "scratch":
        steps = (CopyBackbone("resnet18-quarter", class_count=52), *steps)
    return Recipe(
        name=f"resnet18-{way}-{per_class}-seed{seed}",
        description=f"letters to digits, {per_class} images per class: {description}, seed {seed}",
        network="resnet18-quarter",
        start=None,
        steps=(FewImages(per_class), *steps),
        config=TrainConfig(epochs=8, batch_size=32, peak_lr=peak_lr, warmup=0.1, seed=seed),
        class_counts=(10,),
        shipped=False,
    )


CATALOG: tuple[Recipe, ...] = (
    # Lab 02: a dense network, and what magnitude pruning makes of it.
    Recipe(
        name="resnet20",
        description="ResNet-20, dense",
        network="resnet20",
        start=None,
        steps=(),
        config=TrainConfig(),
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-deviation-0.25",
        description="in each layer, weights below 0.25 standard deviations pruned, retrained",
        network="resnet20",
        start="resnet20",
        steps=(PruneByDeviation(0.25),),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-deviation-0.5",
        description="in each layer, weights below 0.5 standard deviations pruned, retrained",
        network="resnet20",
        start="resnet20",
        steps=(PruneByDeviation(0.5),),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-deviation-1.0",
        description="in each layer, weights below 1.0 standard deviations pruned, retrained",
        network="resnet20",
        start="resnet20",
        steps=(PruneByDeviation(1.0),),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-magnitude-25",
        description="25 % of every layer pruned, retrained",
        network="resnet20",
        start="resnet20",
        steps=(PruneByMagnitude("layer", (0.25,)),),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-magnitude-50",
        description="50 % of every layer pruned, retrained",
        network="resnet20",
        start="resnet20",
        steps=(PruneByMagnitude("layer", (0.5,)),),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-magnitude-75",
        description="75 % of every layer pruned, retrained",
        network="resnet20",
        start="resnet20",
        steps=(PruneByMagnitude("layer", (0.75,)),),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-oneshot-80",
        description="80 % of every layer pruned at once, retrained",
        network="resnet20",
        start="resnet20",
        steps=(PruneByMagnitude("layer", (0.8,)),),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-iterative-80",
        description="8 % more of every layer pruned each epoch up to 80 %",
        network="resnet20",
        start="resnet20",
        steps=(PruneByMagnitude("layer", RAMP_TO_80),),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-global-80",
        description="8 % more of all weights pruned each epoch up to 80 %",
        network="resnet20",
        start="resnet20",
        steps=(PruneByMagnitude("global", RAMP_TO_80),),
        config=RETRAINING,
        class_counts=(10,),
    ),
    # Lab 02: the three ways until retraining no longer saves the network, with three seeds.
    *(
        _pruned(way, percent, seed)
        for percent in (90, 95, 98)
        for way in ("oneshot", "iterative", "global")
        for seed in (0, 1, 2)
    ),
    # Lab 03: quantization-aware fine-tuning of the dense and of the globally pruned network.
    Recipe(
        name="resnet20-quantized-5",
        description="5-bit residual blocks, fine-tuned",
        network="resnet20",
        start="resnet20",
        steps=(Quantize(5, "asymmetric"),),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-global-80-quantized-5",
        description="80 % of all weights pruned, 5-bit residual blocks, fine-tuned",
        network="resnet20",
        start="resnet20-global-80",
        steps=(Quantize(5, "asymmetric"), KeepZeros()),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-quantized-4",
        description="4-bit residual blocks, fine-tuned",
        network="resnet20",
        start="resnet20",
        steps=(Quantize(4, "asymmetric"),),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-global-80-quantized-4",
        description="80 % of all weights pruned, 4-bit residual blocks, fine-tuned",
        network="resnet20",
        start="resnet20-global-80",
        steps=(Quantize(4, "asymmetric"), KeepZeros()),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-quantized-3",
        description="3-bit residual blocks, fine-tuned",
        network="resnet20",
        start="resnet20",
        steps=(Quantize(3, "asymmetric"),),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-global-80-quantized-3",
        description="80 % of all weights pruned, 3-bit residual blocks, fine-tuned",
        network="resnet20",
        start="resnet20-global-80",
        steps=(Quantize(3, "asymmetric"), KeepZeros()),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-quantized-2",
        description="2-bit residual blocks, fine-tuned",
        network="resnet20",
        start="resnet20",
        steps=(Quantize(2, "asymmetric"),),
        config=RETRAINING,
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-global-80-quantized-2",
        description="80 % of all weights pruned, 2-bit residual blocks, fine-tuned",
        network="resnet20",
        start="resnet20-global-80",
        steps=(Quantize(2, "asymmetric"), KeepZeros()),
        config=RETRAINING,
        class_counts=(10,),
    ),
    # Lab 05: the classic pipeline, and the recipe for the smallest file, with three seeds.
    Recipe(
        name="resnet20-pipeline-50",
        description="50 % of every layer pruned, 10 epochs",
        network="resnet20",
        start="resnet20",
        steps=(PruneByMagnitude("layer", (0.5,)),),
        config=TrainConfig(epochs=10, peak_lr=0.05, warmup=0.1),
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-pipeline-60",
        description="60 % of every layer pruned, 10 epochs",
        network="resnet20",
        start="resnet20-pipeline-50",
        steps=(PruneByMagnitude("layer", (0.6,)),),
        config=TrainConfig(epochs=10, peak_lr=0.05, warmup=0.1),
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-pipeline-64",
        description="64 % of every layer pruned, 10 epochs",
        network="resnet20",
        start="resnet20-pipeline-60",
        steps=(PruneByMagnitude("layer", (0.64,)),),
        config=TrainConfig(epochs=10, peak_lr=0.05, warmup=0.1),
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-global-80-seed1",
        description="as resnet20-global-80, seed 1",
        network="resnet20",
        start="resnet20",
        steps=(PruneByMagnitude("global", RAMP_TO_80),),
        config=TrainConfig(epochs=20, peak_lr=0.05, warmup=0.1, seed=1),
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-global-80-seed2",
        description="as resnet20-global-80, seed 2",
        network="resnet20",
        start="resnet20",
        steps=(PruneByMagnitude("global", RAMP_TO_80),),
        config=TrainConfig(epochs=20, peak_lr=0.05, warmup=0.1, seed=2),
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-distilled-90-seed0",
        description="90 % of all weights pruned in 12 epochs, taught by the dense network, seed 0",
        network="resnet20",
        start="resnet20",
        steps=(PruneByMagnitude("global", RAMP_TO_90), Distill("resnet20", weight=0.9, temperature=4.0)),
        config=TrainConfig(epochs=30, peak_lr=0.05, warmup=0.1),
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-shared-90-seed0",
        description="resnet20-distilled-90-seed0 with 6 shared values per layer, trained",
        network="resnet20",
        start="resnet20-distilled-90-seed0",
        steps=(ShareValues(6), Distill("resnet20", weight=0.9, temperature=4.0)),
        config=TrainConfig(epochs=12, peak_lr=0.01, warmup=0.1),
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-distilled-90-seed1",
        description="90 % of all weights pruned in 12 epochs, taught by the dense network, seed 1",
        network="resnet20",
        start="resnet20",
        steps=(PruneByMagnitude("global", RAMP_TO_90), Distill("resnet20", weight=0.9, temperature=4.0)),
        config=TrainConfig(epochs=30, peak_lr=0.05, warmup=0.1, seed=1),
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-shared-90-seed1",
        description="resnet20-distilled-90-seed1 with 6 shared values per layer, trained",
        network="resnet20",
        start="resnet20-distilled-90-seed1",
        steps=(ShareValues(6), Distill("resnet20", weight=0.9, temperature=4.0)),
        config=TrainConfig(epochs=12, peak_lr=0.01, warmup=0.1, seed=1),
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-distilled-90-seed2",
        description="90 % of all weights pruned in 12 epochs, taught by the dense network, seed 2",
        network="resnet20",
        start="resnet20",
        steps=(PruneByMagnitude("global", RAMP_TO_90), Distill("resnet20", weight=0.9, temperature=4.0)),
        config=TrainConfig(epochs=30, peak_lr=0.05, warmup=0.1, seed=2),
        class_counts=(10,),
    ),
    Recipe(
        name="resnet20-shared-90-seed2",
        description="resnet20-distilled-90-seed2 with 6 shared values per layer, trained",
        network="resnet20",
        start="resnet20-distilled-90-seed2",
        steps=(ShareValues(6), Distill("resnet20", weight=0.9, temperature=4.0)),
        config=TrainConfig(epochs=12, peak_lr=0.01, warmup=0.1, seed=2),
        class_counts=(10,),
    ),
    # Labs 06 to 09: VGG16-BN on both sets.
    Recipe(
        name="vgg16",
        description="VGG16-BN, dense, without dropout",
        network="vgg16",
        start=None,
        steps=(NO_DROPOUT,),
        config=VGG_TRAINING,
        class_counts=(10, 100),
    ),
    Recipe(
        name="vgg16-longer",
        description="VGG16-BN, dense, trained on as long as a pruned network is fine-tuned",
        network="vgg16",
        start="vgg16",
        steps=(NO_DROPOUT,),
        config=VGG_RETRAINING,
        class_counts=(10, 100),
        shipped=False,
    ),
    Recipe(
        name="vgg16-sensitivity-90",
        description="90 % of all weights pruned, each layer by its sensitivity, fine-tuned",
        network="vgg16",
        start="vgg16",
        steps=(NO_DROPOUT, PruneBySensitivity(0.9)),
        config=VGG_RETRAINING,
        class_counts=(10, 100),
    ),
    *(
        Recipe(
            name=f"vgg16-global-{percent}",
            description=f"{percent} % of all weights pruned at once by magnitude, fine-tuned",
            network="vgg16",
            start="vgg16",
            steps=(NO_DROPOUT, PruneByMagnitude("global", (percent / 100,))),
            config=VGG_RETRAINING,
            class_counts=(10,),
            shipped=False,
        )
        for percent in (95, 98, 99)
    ),
    Recipe(
        name="vgg16-channels",
        description="3.5 times fewer MACs: channels chosen by the LASSO, each layer reconstructed, fine-tuned",
        network="vgg16",
        start="vgg16",
        steps=(CutChannels(keep=CHANNELS["3.5"], selection="lasso"), NO_DROPOUT),
        config=VGG_RETRAINING,
        class_counts=(10, 100),
    ),
    *(
        Recipe(
            name=f"vgg16-channels-{times}x",
            description=f"{times} times fewer MACs: channels chosen by the LASSO, fine-tuned",
            network="vgg16",
            start="vgg16",
            steps=(CutChannels(keep=CHANNELS[times], selection="lasso"), NO_DROPOUT),
            config=VGG_RETRAINING,
            class_counts=(10, 100) if times == "7" else (10,),
            shipped=False,
        )
        for times in ("7", "14")
    ),
    *(
        Recipe(
            name=f"vgg16-channels-{'' if times == '3.5' else f'{times}x-'}scratch",
            description=f"VGG16-BN with the channels of a cut {times} times, from random weights",
            network="vgg16",
            start=None,
            steps=(SetChannels(CHANNELS[times]), NO_DROPOUT),
            config=VGG_LONGER,
            class_counts=(10,),
            shipped=False,
        )
        for times in CHANNELS
    ),
    Recipe(
        name="vgg16-narrow",
        description="VGG16-BN with a quarter of the channels, dense, without dropout",
        network="vgg16-narrow",
        start=None,
        steps=(NO_DROPOUT,),
        config=VGG_LONGER,
        class_counts=(10,),
    ),
    # The rate rises for the first 12 epochs, since each cut puts the network back to chance for some of them.
    Recipe(
        name="vgg16-grasp-80",
        description="80 % of all weights pruned by GraSP, in the convolutions, at 20, 40 and 60 % accuracy",
        network="vgg16",
        start=None,
        steps=(
            NO_DROPOUT,
            PruneBySaliency("grasp", sparsities=(0.4, 0.6, 0.8), accuracies=STAGES, spared=CLASSIFIER),
        ),
        config=TrainConfig(epochs=30, batch_size=64, peak_lr=0.03, warmup=0.4),
        class_counts=(10,),
    ),
    Recipe(
        name="vgg16-grasp-80",
        description="80 % of all weights pruned by GraSP, in the convolutions, at 20, 40 and 60 % accuracy",
        network="vgg16",
        start=None,
        steps=(
            NO_DROPOUT,
            PruneBySaliency("grasp", sparsities=(0.4, 0.6, 0.8), accuracies=STAGES, spared=CLASSIFIER),
        ),
        config=TrainConfig(epochs=40, batch_size=64, peak_lr=0.03, warmup=0.3),
        class_counts=(100,),
    ),
    Recipe(
        name="vgg16-grasp-80-tuned",
        description="vgg16-grasp-80, trained for longer",
        network="vgg16",
        start="vgg16-grasp-80",
        steps=(NO_DROPOUT, KeepZeros()),
        config=TrainConfig(epochs=15, batch_size=64, peak_lr=0.03, warmup=0.1),
        class_counts=(10,),
    ),
    Recipe(
        name="vgg16-grasp-80-tuned",
        description="vgg16-grasp-80, trained for longer",
        network="vgg16",
        start="vgg16-grasp-80",
        steps=(NO_DROPOUT, KeepZeros()),
        config=TrainConfig(epochs=8, batch_size=64, peak_lr=0.03, warmup=0.1),
        class_counts=(100,),
    ),
    # Lab 08: five rules, one cut or three, three seeds; GraSP with cuts in the classifier, too; dense
    # networks of about the same totals. The manifest records them; their weights are not shipped.
    *(_cut_by_rule(rule, way, seed) for way in ("once", "staged") for rule in RULES for seed in (0, 1, 2)),
    *(
        _cut_by_rule("grasp", way, seed, everywhere=True)
        for way in ("once", "staged")
        for seed in (0, 1, 2)
    ),
    *(_dense_narrow(epochs, seed) for epochs in (30, 45) for seed in (0, 1, 2)),
    Recipe(
        name="vgg16-distilled-97",
        description="97 % of all weights pruned in 5 epochs, taught by the dense network",
        network="vgg16",
        start="vgg16",
        steps=(
            NO_DROPOUT,
            PruneByMagnitude("global", RAMP_TO_97),
            Distill("vgg16", weight=0.9, temperature=4.0),
        ),
        config=TrainConfig(epochs=10, batch_size=64, peak_lr=0.02, warmup=0.1),
        class_counts=(10,),
    ),
    Recipe(
        name="vgg16-shared",
        description="very sparse, 8 shared values per layer, taught by the dense network",
        network="vgg16",
        start="vgg16-distilled-97",
        steps=(NO_DROPOUT, ShareValues(8), Distill("vgg16", weight=0.9, temperature=4.0)),
        config=TrainConfig(epochs=5, batch_size=64, peak_lr=0.01, warmup=0.1),
        class_counts=(10,),
    ),
    Recipe(
        name="vgg16-shared",
        description="very sparse, 8 shared values per layer, taught by the dense network",
        network="vgg16",
        start="vgg16-sensitivity-90",
        steps=(NO_DROPOUT, ShareValues(8), Distill("vgg16", weight=0.9, temperature=4.0)),
        config=TrainConfig(epochs=3, batch_size=64, peak_lr=0.003, warmup=0.1),
        class_counts=(100,),
    ),
    # Lab 10: learning rates, schedules and pruning while training; three seeds, the first one's runs first.
    *(recipe for seed in (0, 1, 2) for recipe in _convnets(seed)),
    # Lab 11: a backbone that has seen printed letters.
    Recipe(
        name="resnet18-quarter",
        description="ResNet-18 with a 3×3 stem and a quarter of the channels, dense",
        network="resnet18-quarter",
        start=None,
        steps=(),
        config=TrainConfig(epochs=12, peak_lr=0.2, warmup=0.2),
        class_counts=(52,),
    ),
    *(
        _transferred(way, per_class, seed)
        for per_class in (10, 50, 500)
        for way in TRANSFERS
        for seed in (0, 1, 2)
        if per_class == 50 or way not in RANK_SWEEP
    ),
)


def find_recipe(name: str, class_count: int) -> Recipe:
    """Return the recipe ``name`` for data of ``class_count`` classes.

    Where no entry names that class count, such as for a folder of images, it is the first of the name.

    Raises:
        ValueError: if there is no recipe of that name.

    >>> find_recipe("vgg16-shared", 100).start, find_recipe("vgg16-shared", 10).start
    ('vgg16-sensitivity-90', 'vgg16-distilled-97')
    """
    entries = [recipe for recipe in CATALOG if recipe.name == name]
    if not entries:
        names = dict.fromkeys(recipe.name for recipe in CATALOG)
        raise ValueError(f"there is no recipe {name!r}; there are {', '.join(names)}.")
    return next((recipe for recipe in entries if class_count in recipe.class_counts), entries[0])


# By name, in order; where 10 and 100 classes have one entry each, the one for 10.
RECIPES = {recipe.name: find_recipe(recipe.name, 10) for recipe in CATALOG}
