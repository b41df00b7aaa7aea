"""What a call of labkit leaves behind: nothing but its result, also where it ends in an exception."""

import contextlib
import copy
import random
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from tiny import tiny_dataset
from torch import nn

from labkit import profiling, sparse
from labkit.checks import CheckFailed, check
from labkit.data import Split
from labkit.data.dataset import hold_out
from labkit.environment import keep_random_state
from labkit.models import VGG16, ResNet20
from labkit.models.resnet import from_akamaster
from labkit.models.vgg import vgg16_from_state
from labkit.pruning import channels, magnitude, saliency, sensitivity
from labkit.pruning.callbacks import PruningCallback
from labkit.quantization import layers, model_size, trained_codebook, weight_sharing
from labkit.recipes import find_recipe
from labkit.recipes.network import starting_model
from labkit.training import Callback, TrainConfig, evaluate, fit
from labkit.training.distillation import Distiller
from labkit.training.loop import loss_prefix

CONFIG = TrainConfig(epochs=1, batch_size=32, peak_lr=0.01)
TIMING = profiling.Timing(batch_size=2, warmup=1, batches=1, energy_seconds=0.0)
WIDTHS = (2,) * 13
DATA = tiny_dataset(train=64, held=8)
X = torch.zeros(2, 3, 32, 32)


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")


@pytest.fixture(autouse=True, scope="module")
def _torch_is_loaded():
    """The first training step imports parts of torch, which add filters of warnings."""
    with keep_random_state():
        fit(chain(), DATA, CONFIG, progress=False)


class Interrupted(Exception):
    """Raised in the middle of a forward pass."""


def chain() -> nn.Sequential:
    """A chain of layers, as a sensitivity scan needs it."""
    return nn.Sequential(
        nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.BatchNorm2d(4, momentum=0.3), nn.ReLU()),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(4, 4),
    )


def vgg() -> VGG16:
    return VGG16(4, channels=WIDTHS)


def unusual(model: nn.Module) -> nn.Module:
    """``model`` with modules in both modes, a frozen parameter and gradients of its own."""
    model.train()
    for index, module in enumerate(model.modules()):
        module.training = index % 2 == 0
    parameters = list(model.parameters())
    parameters[1].requires_grad_(False)
    parameters[0].grad = torch.full_like(parameters[0], 0.5)
    return model


def process_state() -> list[object]:
    return [
        torch.get_rng_state().numpy().tobytes(),
        str(np.random.get_state()),  # noqa: NPY002
        random.getstate(),
        torch.is_grad_enabled(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
        copy.copy(torch._tensor_str.PRINT_OPTS),
        np.get_printoptions(),
        np.geterr(),
        list(warnings.filters),
    ]


def flags(model: nn.Module) -> list[object]:
    """What belongs to the caller even where a call changes the weights."""
    modules = [
        (name, module.training, len(module._forward_hooks), len(module._forward_pre_hooks))
        for name, module in model.named_modules()
    ]
    norms = [module.momentum for module in model.modules() if isinstance(module, nn.BatchNorm2d)]
    gradients = [
        (name, parameter.requires_grad, None if parameter.grad is None else parameter.grad.tolist())
        for name, parameter in model.named_parameters()
    ]
    return [modules, norms, gradients]


def values(model: nn.Module) -> list[object]:
    return [(name, value.dtype, value.tolist()) for name, value in model.state_dict().items()]


def distil(model: nn.Module) -> None:
    callback = Distiller(model, weight=0.5, temperature=2.0, inner=Callback())
    loss_prefix(copy.deepcopy(STUDENT), DATA, CONFIG, callback=callback, steps=1)


def fit_pruned(model: nn.Module) -> None:
    fit(model, DATA, CONFIG, callback=PruningCallback({0: ramp}), progress=False)


def ramp(model: nn.Module) -> magnitude.Masks:
    return magnitude.layer_masks(model, 0.5)


STUDENT = chain()
BATCHES = saliency.calibration_batches(DATA, images_per_class=2)
# Calls that leave the network as it is, by the network they take.
READERS: dict[str, tuple[Callable[[], nn.Module], Callable[[nn.Module], object]]] = {
    "evaluate": (chain, lambda model: evaluate(model, DATA, DATA.test)),
    "Distiller": (chain, distil),
    "sensitivity_scan": (chain, lambda model: sensitivity.sensitivity_scan(model, DATA, DATA.test)),
    "sensitivity_masks": (chain, lambda model: sensitivity.sensitivity_masks(model, 0.5, DATA)),
    "snip_scores": (chain, lambda model: saliency.snip_scores(model, BATCHES)),
    "grasp_scores": (chain, lambda model: saliency.grasp_scores(model, BATCHES)),
    "random_masks": (chain, lambda model: saliency.random_masks(model, 0.5)),
    "masks_by_rule": (chain, lambda model: saliency.masks_by_rule(model, 0.5, "random", BATCHES)),
    "global_masks": (chain, lambda model: magnitude.global_masks(model, 0.5)),
    "deviation_masks": (chain, lambda model: magnitude.deviation_masks(model, 0.5)),
    "sparsity_by_layer": (chain, magnitude.sparsity_by_layer),
    "prune_channels": (vgg, lambda model: channels.prune_channels(model, DATA, (1,) * 13, image_count=4)),
    "slice_channels": (vgg, lambda model: channels.slice_channels(model, [torch.tensor([0])] * 13)),
    "layer_moments": (vgg, lambda model: channels.layer_moments(model, DATA, 2, image_count=4)),
    "quantize_layers": (chain, lambda model: layers.quantize_layers(model, bits=4)(X)),
    "count_model_bytes": (chain, model_size.count_model_bytes),
    "sparsity_change": (chain, model_size.sparsity_change),
    "share_layers": (chain, lambda model: weight_sharing.share_layers(model, 3)(X)),
    "cluster_layers": (chain, lambda model: trained_codebook.cluster_layers(model, 3)(X)),
    "profile": (chain, lambda model: profiling.profile(model, DATA, timing=TIMING)),
    "count_macs": (chain, lambda model: profiling.count_macs(model, X)),
    "traced_macs": (chain, lambda model: profiling.traced_macs(model, X)),
    "measure_memory": (chain, lambda model: profiling.measure_memory(model, X)),
    "layer_times_ms": (chain, lambda model: profiling.layer_times_ms(model, X)),
    "serialized_bytes": (chain, profiling.serialized_bytes),
    "count_parameters": (chain, profiling.count_parameters),
    "sparsify": (chain, lambda model: sparse.sparsify(model)(X)),
}
# Calls whose result is in the network itself.
WRITERS: dict[str, Callable[[nn.Module], object]] = {
    "fit": fit_pruned,
    "reestimate_batch_norm": lambda model: channels.reestimate_batch_norm(model, DATA),
    "apply_masks": lambda model: magnitude.apply_masks(model, magnitude.layer_masks(model, 0.5)),
}
WITHOUT_FORWARD = {  # no pass through the network ends them
    "random_masks",
    "masks_by_rule",
    "global_masks",
    "deviation_masks",
    "sparsity_by_layer",
    "slice_channels",
    "count_model_bytes",
    "sparsity_change",
    "serialized_bytes",
    "count_parameters",
    "apply_masks",
}


@pytest.fixture
def interrupted_in_third_pass(monkeypatch):
    """Let the third batch normalization of the process raise; the first two show that work was under way."""
    calls = []
    forward = nn.BatchNorm2d.forward

    def stop(layer: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if len(calls) > 2:
            raise Interrupted
        return forward(layer, inputs)

    monkeypatch.setattr(nn.BatchNorm2d, "forward", stop)


def call_three_times(call: Callable[[nn.Module], object], model: nn.Module) -> None:
    for _ in range(3):
        call(model)


@pytest.mark.parametrize("name", READERS)
def test_a_call_that_reads_a_network_leaves_it_and_the_process_as_they_were(name):
    build, call = READERS[name]
    model = unusual(build())
    before = process_state(), flags(model), values(model)
    call(model)
    assert (process_state(), flags(model), values(model)) == before


@pytest.mark.usefixtures("interrupted_in_third_pass")
@pytest.mark.parametrize("name", [name for name in READERS if name not in WITHOUT_FORWARD])
def test_a_call_that_reads_a_network_leaves_everything_as_it_was_if_it_is_interrupted(name):
    build, call = READERS[name]
    model = unusual(build())
    before = process_state(), flags(model), values(model)
    with pytest.raises(Interrupted):
        call_three_times(call, model)
    assert (process_state(), flags(model), values(model)) == before


@pytest.mark.parametrize("name", WRITERS)
def test_a_call_that_changes_weights_leaves_modes_gradients_and_generators(name):
    model = unusual(chain())
    before = process_state(), flags(model)
    weights = values(model)
    WRITERS[name](model)
    assert (process_state(), flags(model)) == before
    assert values(model) != weights


@pytest.mark.usefixtures("interrupted_in_third_pass")
@pytest.mark.parametrize("name", [name for name in WRITERS if name not in WITHOUT_FORWARD])
def test_a_call_that_changes_weights_leaves_modes_and_the_rest_if_it_is_interrupted(name):
    model = unusual(chain())
    before = process_state(), flags(model)
    with pytest.raises(Interrupted):
        call_three_times(WRITERS[name], model)
    assert (process_state(), flags(model)) == before


def test_the_loss_prefix_leaves_modes_and_gradients_though_it_converts_the_network():
    model = unusual(chain())
    before = process_state(), flags(model)
    loss_prefix(model, DATA, CONFIG)
    assert (process_state(), flags(model)) == before


def test_an_interrupted_estimation_restores_the_statistics_of_batch_normalization():
    model = unusual(chain())
    model[0](X.normal_(generator=torch.Generator().manual_seed(0)))
    before = values(model)
    model[4].register_forward_hook(lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        channels.reestimate_batch_norm(model, DATA)
    assert values(model) == before


def test_hooks_are_removed_if_a_layer_cannot_be_counted():
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten(), nn.Linear(2, 1))
    model[2].weight = nn.Parameter(torch.zeros(0, 2))
    before = flags(model)
    with pytest.raises(IndexError):
        profiling.closed_form_macs(model, torch.zeros(1, 3, 1, 1))
    assert flags(model) == before


@pytest.mark.parametrize(
    "call",
    [
        lambda: fit(chain(), DATA, CONFIG, progress=False),
        lambda: loss_prefix(chain(), DATA, CONFIG, steps=1),
        lambda: saliency.snip_scores(chain(), BATCHES),
        lambda: saliency.grasp_scores(chain(), BATCHES),
    ],
)
def test_what_needs_gradients_computes_them_where_they_are_switched_off(call):
    with torch.no_grad():
        call()
        assert not torch.is_grad_enabled()


VGG_STATE, RESNET_STATE = vgg().state_dict(), ResNet20(4).state_dict()


@pytest.mark.parametrize(
    "call",
    [
        lambda: vgg16_from_state(VGG_STATE),
        lambda: from_akamaster(RESNET_STATE),
        lambda: starting_model(find_recipe("resnet20", 10), DATA),
        lambda: hold_out(Split(DATA.train.images, DATA.train.labels), fraction=0.1, seed=0),
        lambda: check("03.5", swap_everything),
    ],
    ids=["vgg16_from_state", "from_akamaster", "starting_model", "hold_out", "check"],
)
def test_the_global_generators_are_left_as_they_were(call):
    before = process_state()
    with contextlib.suppress(CheckFailed):
        call()
    assert process_state() == before


def swap_everything(model, make):  # noqa: ARG001
    """An answer that draws from all three generators."""
    random.random(), np.random.rand(), torch.rand(1)  # noqa: NPY002
    return model


@pytest.mark.parametrize(
    ("build", "copied"),
    [
        (chain, lambda model: layers.quantize_layers(model, bits=4)),
        (chain, lambda model: weight_sharing.unshare_layers(weight_sharing.share_layers(model, 3))),
        (chain, lambda model: weight_sharing.unshare_layers(trained_codebook.cluster_layers(model, 3))),
        (vgg, lambda model: channels.slice_channels(model, [torch.tensor([0])] * 13)),
        (vgg, lambda model: channels.prune_channels(model, DATA, (1,) * 13, image_count=4)),
    ],
    ids=["quantize_layers", "share_layers", "cluster_layers", "slice_channels", "prune_channels"],
)
def test_a_network_made_of_another_has_its_modes_and_its_frozen_parameters(build, copied):
    model = unusual(build())
    next(model.parameters()).requires_grad_(False)  # a weight
    result = copied(model)
    assert {name: module.training for name, module in result.named_modules()} == {
        name: module.training for name, module in model.named_modules()
    }
    assert {name: parameter.requires_grad for name, parameter in result.named_parameters()} == {
        name: parameter.requires_grad for name, parameter in model.named_parameters()
    }


def test_batches_of_calibration_and_estimation_do_not_end_with_one_image():
    data = tiny_dataset(train=129, classes=3)
    batches = saliency.calibration_batches(data, images_per_class=11, batch_size=8)
    assert [len(labels) for _, labels in batches] == [8, 8, 8, 9]
    norm = nn.BatchNorm2d(2)
    head = nn.Sequential(nn.Conv2d(3, 2, 32), norm)  # one value per channel and image
    channels.reestimate_batch_norm(head, data, image_count=129)
    assert norm.num_batches_tracked == 1
    model = nn.Sequential(nn.Flatten(), nn.Linear(3072, 3), nn.BatchNorm1d(3, track_running_stats=False))
    scan = sensitivity.sensitivity_scan(model, data, data.train, sparsities=(0.0,), batch_size=128)
    assert len(scan.losses) == 1
