"""A step of training never waits for the device, shown on torch's meta device, which has shapes only.

To read a value of a tensor there is an error, as is a branch that depends on one. A copy to it must be
asynchronous, as a copy to a GPU must be. tests/cuda shows the same on a GPU, where there is one.
"""

from contextlib import nullcontext
from itertools import islice

import pytest
import torch
from tiny import tiny_dataset
from torch.utils._python_dispatch import TorchDispatchMode

from labkit import settings
from labkit.models import ResNet20, Transformer, TransformerShape, prunable_weights
from labkit.models.lora import add_lora
from labkit.pruning.callbacks import PruningCallback, StagedPruning
from labkit.quantization.layers import quantize_residual_blocks
from labkit.quantization.trained_codebook import cluster_layers
from labkit.training import Callback, TrainConfig, distillation, loop, sequences
from labkit.training.distillation import Distiller
from labkit.training.sequences import SequenceConfig

META = torch.device("meta")
CONFIG = TrainConfig(batch_size=32, peak_lr=0.1)


class NoWaiting(TorchDispatchMode):
    """Refuses copies between the CPU and the device that are not asynchronous."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default:
            target, asynchronous = kwargs.get("device") or args[0].device, kwargs.get("non_blocking")
            assert torch.device(target).type == args[0].device.type or asynchronous, "a copy waits"
        if func is torch.ops.aten.copy_.default and args[0].device != args[1].device:
            assert len(args) > 2, "a copy waits"
            assert args[2], "a copy waits"
        return func(*args, **kwargs)


@pytest.fixture(autouse=True)
def _meta_device(monkeypatch):
    monkeypatch.setattr(settings, "choose_device", lambda: META)
    for module in (loop, distillation):
        monkeypatch.setattr(module, "mixed_precision", lambda _: nullcontext())  # not for this device


def with_masks(callback, model):
    """What ``callback`` is after it has pruned on the device."""
    callback.masks = {
        name: torch.ones_like(weight, dtype=torch.bool, device=META)
        for name, weight in prunable_weights(model).items()
    }
    return callback


def take_steps(model, callback, *, count=3):
    """Take a step, which may wait for the first images, and then steps that may not."""
    dataset = tiny_dataset(flip=True)
    optimizer = loop.prepare_optimizer(model, CONFIG)
    steps = loop.run_epoch(model, dataset, CONFIG, optimizer, callback, 0, [0.1] * 8)
    next(steps)
    with NoWaiting():
        return list(islice(steps, count))


MODELS = {
    "float": lambda: ResNet20(4),
    "quantized": lambda: quantize_residual_blocks(ResNet20(4), bits=2),
    "shared values": lambda: cluster_layers(ResNet20(4), 3),
    "LoRA": lambda: add_lora(ResNet20(4), r"layer.*conv\d", rank=2),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_step_never_waits(kind):
    steps = take_steps(MODELS[kind](), Callback())
    assert [step.loss.device for step in steps] == [META] * 3


def test_a_step_that_keeps_zeros_never_waits():
    model = ResNet20(4)
    take_steps(model, with_masks(PruningCallback({}), model))


def test_a_step_after_the_last_cut_never_waits():
    model = ResNet20(4)
    staged = StagedPruning(lambda *_: {}, [0.5], [50.0])
    staged.stage = 1
    take_steps(model, with_masks(staged, model))


def test_a_step_of_distillation_never_waits():
    take_steps(ResNet20(4), Distiller(ResNet20(4), weight=0.5, temperature=2.0, inner=Callback()))


def test_a_step_of_a_transformer_never_waits():
    model = Transformer(TransformerShape(12)).to(META)
    tokens = torch.ones(4, 6, dtype=torch.int64)
    batch = ((tokens, tokens), tokens)
    steps = sequences._steps(model, [batch] * 5, SequenceConfig(steps=5))
    next(steps)
    with NoWaiting():
        assert len(list(islice(steps, 3))) == 3


def test_reading_a_loss_in_a_step_would_be_noticed():
    class Reads(Callback):
        def loss(self, inputs, logits, labels):
            loss = super().loss(inputs, logits, labels)
            loss.item()
            return loss

    with pytest.raises((RuntimeError, NotImplementedError), match="meta"):
        take_steps(ResNet20(4), Reads())


def test_a_copy_that_waits_would_be_noticed():
    class Copies(Callback):
        def after_step(self, model):  # noqa: ARG002
            torch.zeros(2).to(META)

    dataset, callback = tiny_dataset(), Copies()
    model = ResNet20(4)
    steps = loop.run_epoch(
        model, dataset, CONFIG, loop.prepare_optimizer(model, CONFIG), callback, 0, [0.1] * 8
    )
    next(steps)
    with NoWaiting(), pytest.raises(AssertionError, match="a copy waits"):
        next(steps)
