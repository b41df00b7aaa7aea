"""On a GPU: recipes of each kind train, evaluation agrees with the CPU, and no step waits for the device.

Everything here is skipped where torch sees no CUDA device. tests/training/test_synchronization.py shows the
last on any machine, by a device that computes nothing.
"""

import copy

import pytest
import torch
from tiny import tiny_dataset

from labkit.data import load_dataset
from labkit.models import ResNet20, Transformer, TransformerShape
from labkit.models.lora import add_lora
from labkit.pruning.callbacks import PruningCallback
from labkit.pruning.magnitude import layer_masks, total_sparsity
from labkit.quantization.layers import quantize_residual_blocks
from labkit.quantization.trained_codebook import CodebookCallback, cluster_layers
from labkit.recipes import find_recipe, fit_or_load, verify_prefix, verify_sequence
from labkit.training import Callback, TrainConfig, evaluate, fit, loop, sequences
from labkit.training.distillation import Distiller
from labkit.training.sequences import SequenceConfig

pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no CUDA device"),
]

CONFIG = TrainConfig(epochs=2, batch_size=32, peak_lr=0.05)
RECIPES = [
    "resnet20",
    "resnet20-global-80",
    "resnet20-quantized-2",
    "resnet20-shared-90-seed1",
    "resnet20-distilled-90-seed1",
    "vgg16-narrow",
    "vgg16-narrow-grasp-70",
]


@pytest.fixture(autouse=True)
def _on_the_gpu(monkeypatch):
    for name in ("LABKIT_HOME", "LABKIT_MODE", "LABKIT_DATASET", "LABKIT_WEIGHTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LABKIT_DEVICE", "cuda")


@pytest.fixture
def forbid_waiting():
    """Give a function after which every operation that waits for the GPU is an error."""
    yield lambda: torch.cuda.set_sync_debug_mode("error")
    torch.cuda.set_sync_debug_mode("default")


def half_pruned(_):
    return PruningCallback({0: lambda model: layer_masks(model, 0.5)})


def taught(model):
    return Distiller(copy.deepcopy(model), weight=0.5, temperature=2.0, inner=Callback())


KINDS = {
    "float": (lambda: ResNet20(4), lambda _: Callback()),
    "pruned": (lambda: ResNet20(4), half_pruned),
    "quantized": (lambda: quantize_residual_blocks(ResNet20(4), bits=2), lambda _: Callback()),
    "shared values": (lambda: cluster_layers(ResNet20(4), 3), lambda _: CodebookCallback()),
    "LoRA": (lambda: add_lora(ResNet20(4), r"layer.*conv\d", rank=2), lambda _: Callback()),
    "distilled": (lambda: ResNet20(4), taught),
}


@pytest.mark.parametrize("name", RECIPES)
def test_the_first_steps_have_the_losses_that_a_cpu_recorded(name):
    # In float64, within the tolerance that holds between processors.
    assert verify_prefix(find_recipe(name, 10), load_dataset(10)) <= 1


def test_the_first_steps_of_a_transformer_have_the_losses_that_a_cpu_recorded():
    assert verify_sequence("transformer-reversal") <= 1


@pytest.mark.parametrize("name", ["resnet20", "resnet20-quantized-2", "vgg16-narrow"])
def test_evaluation_agrees_with_the_cpu(name, monkeypatch):
    dataset = load_dataset(10)
    on_gpu = evaluate(fit_or_load(name, dataset), dataset, dataset.test)
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")
    on_cpu = evaluate(fit_or_load(name, dataset), dataset, dataset.test)
    # cuDNN convolves float32 in TF32, whose products have 10 bits: 4 of 2,000 images may change sides.
    assert on_gpu.top1 == pytest.approx(on_cpu.top1, abs=0.2)
    assert on_gpu.loss == pytest.approx(on_cpu.loss, rel=0.01)


@pytest.mark.parametrize("kind", KINDS)
def test_training_learns_and_leaves_the_model_on_the_gpu(kind):
    build, callback = KINDS[kind]
    torch.manual_seed(0)
    model = build()
    records = fit(model, tiny_dataset(), CONFIG, callback=callback(model), progress=False)
    assert records[-1].train_loss < records[0].train_loss
    assert {parameter.device.type for parameter in model.parameters()} == {"cuda"}
    if kind == "float":
        assert model.layer2[1].conv2.weight.is_contiguous(memory_format=torch.channels_last)
    if kind == "pruned":
        assert total_sparsity(model) == pytest.approx(0.5, abs=0.01)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_never_waits_for_the_gpu(kind, forbid_waiting):
    build, make_callback = KINDS[kind]
    model, dataset = build(), tiny_dataset(flip=True)
    callback = make_callback(model)
    optimizer = loop.prepare_optimizer(model, CONFIG)
    callback.before_epoch(model, 0)
    steps = loop.run_epoch(model, dataset, CONFIG, optimizer, callback, 0, [0.05] * 8)
    next(steps)  # moves the images, chooses kernels
    forbid_waiting()
    results = [next(steps) for _ in range(3)]
    torch.cuda.set_sync_debug_mode("default")
    losses, _ = loop._read_steps(results, epoch=0)
    assert len(losses) == 3


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_a_step_of_a_transformer_never_waits_for_the_gpu(forbid_waiting):
    model = Transformer(TransformerShape(12)).cuda()
    tokens = torch.randint(1, 12, (4, 6))
    steps = sequences._steps(model, [((tokens, tokens), tokens)] * 5, SequenceConfig(steps=5))
    next(steps)
    forbid_waiting()
    assert len([next(steps) for _ in range(3)]) == 3


def test_a_loss_that_is_not_finite_ends_the_training():
    with pytest.raises(FloatingPointError, match="lower peak_lr"):
        fit(ResNet20(4), tiny_dataset(), TrainConfig(epochs=1, batch_size=32, peak_lr=1e30), progress=False)
