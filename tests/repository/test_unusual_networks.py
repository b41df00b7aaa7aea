"""Every function of a network on every unusual network: the right value, or a refusal that names the layer."""

import math

import numpy as np
import pytest
import torch
from tiny import tiny_dataset
from torch import nn
from torch.nn import functional
from unusual import NETWORKS, plain

from labkit import profiling
from labkit.data.augment import normalize
from labkit.environment import seed_everything
from labkit.models import VGG16, as_input, prunable_weights, total_sparsity
from labkit.models.weights import named_layers
from labkit.profiling import closed_form_macs, layer_times_ms
from labkit.pruning.callbacks import PruningCallback, StagedPruning
from labkit.pruning.channels import prune_channels, reestimate_batch_norm
from labkit.pruning.magnitude import (
    apply_masks,
    deviation_masks,
    global_masks,
    layer_masks,
    nonzero_masks,
    sparsity_by_layer,
)
from labkit.pruning.saliency import (
    calibration_batches,
    grasp_scores,
    masks_by_rule,
    random_masks,
    snip_scores,
)
from labkit.pruning.sensitivity import sensitivity_masks, sensitivity_scan
from labkit.quantization.layers import quantize_layers, quantized_layers, quantized_weights
from labkit.quantization.model_size import count_model_bytes, sparsity_change
from labkit.quantization.trained_codebook import CodebookCallback, cluster_layers, fit_codebooks
from labkit.quantization.weight_sharing import share_layers, shared_layers, unshare_layers
from labkit.sparse import count_storage_bytes, pack_sparse, sparsify, unpack_sparse
from labkit.training import Callback, TrainConfig, evaluate, fit
from labkit.training.distillation import Distiller
from labkit.training.loop import loss_prefix

DATASET = tiny_dataset(train=32, held=16)
BATCHES = calibration_batches(DATASET, images_per_class=4, batch_size=8)
IMAGES = normalize(DATASET.test.images, DATASET.mean, DATASET.std)
CONFIG = TrainConfig(epochs=2, batch_size=16, peak_lr=0.01)
COMPUTED = {"weight norm": "'5'", "torch-pruned": "'0'", "shared values": "'0'", "trained codebook": "'0'"}
TIED = {"tied parameters": r"'5\.weight' and '7\.weight'"}
STAND_INS = {"hook": "'5' .* hooks", "subclass": r"'5' \(TenTimes\)", "ConvTranspose2d": "'1'"}


@torch.no_grad()
def outputs(model, training=False):
    return model.train(training)(as_input(IMAGES, model)).double()


def same_outputs(left, right, relative=1e-4):
    left, right = outputs(left), outputs(right)
    torch.testing.assert_close(left, right, rtol=relative, atol=relative * float(left.abs().max()))


def rounding(model):
    """The relative error of one number of the model's type, with some room."""
    return 20 * max((torch.finfo(w.dtype).eps for w in prunable_weights(model).values()), default=1e-6)


def removed(masks):
    return sum(int((~mask).sum()) for mask in masks.values())


# Pruning


def count_weights(model, right):
    assert sum(weight.numel() for weight in prunable_weights(model).values()) == right.weights
    assert total_sparsity(model) == pytest.approx(right.zeros)
    sizes = {name: weight.numel() for name, weight in prunable_weights(model).items()}
    zeros = sum(share * sizes[name] for name, share in sparsity_by_layer(model).items())
    assert zeros == pytest.approx(right.zeros * right.weights)


def mask_by_magnitude(model, right):
    assert removed(global_masks(model, 0.75)) == round(0.75 * right.weights)
    assert removed(layer_masks(model, 0.75)) == pytest.approx(0.75 * right.weights, abs=2)
    assert removed(nonzero_masks(model)) == round(right.zeros * right.weights)
    masks = deviation_masks(model, 0.5)
    assert masks.keys() == prunable_weights(model).keys()
    weights = [weight.detach().double() for weight in prunable_weights(model).values()]
    assert removed(masks) == sum(int((w.abs() <= 0.5 * w.std(correction=0)).sum()) for w in weights)


def apply_global_masks(model, right):
    masks = global_masks(model, 0.75)
    apply_masks(model, masks)
    outputs(model)
    assert total_sparsity(model) == pytest.approx(round(0.75 * right.weights) / max(1, right.weights))


def score(model, _right):
    for scores in (snip_scores, grasp_scores):
        generator = torch.get_rng_state()
        first, second = scores(model, BATCHES), scores(model, BATCHES)
        assert torch.equal(torch.get_rng_state(), generator)
        assert first.keys() == prunable_weights(model).keys()
        for name, values in first.items():
            assert torch.equal(values, second[name])
            assert values.isfinite().all()
            assert bool(values.any()) == (name != "spare.weight"), name


def mask_by_rule(model, right):
    for rule in ("snip", "grasp", "magnitude", "random"):
        assert removed(masks_by_rule(model, 0.75, rule, BATCHES)) == round(0.75 * right.weights)
    assert removed(random_masks(model, 0.75)) == round(0.75 * right.weights)


def prune_gradually(model, right):
    rules = {epoch: lambda m, q=q: global_masks(m, q) for epoch, q in enumerate((0.5, 0.75))}
    records = fit(model, DATASET, CONFIG, callback=PruningCallback(rules), progress=False)
    shares = [round(q * right.weights) / right.weights for q in (0.5, 0.75)]
    assert [record.sparsity for record in records] == pytest.approx(shares)


def prune_in_stages(model, right):
    stages = StagedPruning(global_masks, [0.5, 0.75], [0.0, 0.0], window=1)
    records = fit(model, DATASET, CONFIG, callback=stages, progress=False)
    assert records[-1].sparsity == pytest.approx(round(0.75 * right.weights) / right.weights)


def scan(model, right):
    measured = sensitivity_scan(model, DATASET, DATASET.validation, sparsities=(0.0, 0.9), batch_size=8)
    assert measured.names == tuple(prunable_weights(model))
    dense = evaluate(model, DATASET, DATASET.validation)
    for row, (name, weight) in zip(measured.losses, list(prunable_weights(model).items()), strict=True):
        kept = weight.detach().clone()
        apply_masks(model, {name: layer_masks(model, 0.9)[name]})
        alone = evaluate(model, DATASET, DATASET.validation)
        weight.data.copy_(kept)
        assert row == pytest.approx((dense.loss, alone.loss))
    masks = sensitivity_masks(model, 0.5, DATASET)
    assert removed(masks) == pytest.approx(0.5 * right.weights, abs=1)


def reestimate(model, _right):
    before = outputs(model)
    reestimate_batch_norm(model, DATASET)
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    assert torch.equal(outputs(model), before) == (not norms)


# Quantization


def quantize(model, right):
    quantized = quantize_layers(model, bits=16)
    layers = named_layers(quantized, every_name=True)
    assert layers.keys() == named_layers(model, every_name=True).keys()
    assert set(map(id, layers.values())) == set(map(id, quantized_layers(quantized).values()))
    assert len(set(layers.values())) == len(set(named_layers(model, every_name=True).values()))
    assert profiling.count_parameters(quantized)[0] == right.parameters  # ties are ties
    same_outputs(quantized, model, relative=max(2e-3, rounding(model)))
    coarse = quantize_layers(quantized, bits=2)
    model.load_state_dict({**model.state_dict(), **quantized_weights(coarse)})
    assert torch.equal(outputs(model), outputs(coarse))
    size = count_model_bytes(coarse)
    grids = 5 * len({id(layer.weight) for layer in layers.values()})
    bits = sum(math.ceil(2 * weight.numel() / 8) for weight in prunable_weights(coarse).values())
    assert (size.payload, size.parameters) == (bits, grids)
    held = {id(t): t.nbytes for t in coarse.state_dict(keep_vars=True).values()}
    weights = sum(weight.nbytes for weight in prunable_weights(coarse).values())
    assert size.other == sum(held.values()) - weights
    change = sparsity_change(coarse)
    assert change.before == pytest.approx(right.zeros)
    assert change.after == pytest.approx(total_sparsity(model))


def share(model, _right):
    shared = share_layers(model, 4)
    assert shared_layers(shared).keys() == prunable_weights(model).keys()
    assert all(len(weight.unique()) <= 5 for weight in prunable_weights(shared).values())
    same_outputs(unshare_layers(shared), shared)
    assert unshare_layers(shared).state_dict().keys() == model.state_dict().keys()


def cluster(model, _right):
    clustered = cluster_layers(model, 4)
    fit_codebooks(clustered)
    assert shared_layers(clustered) == {}
    assert all(len(weight.unique()) <= 5 for weight in prunable_weights(clustered).values())
    same_outputs(unshare_layers(clustered), clustered)
    fit(clustered, DATASET, CONFIG, callback=CodebookCallback(), progress=False)


def unshare(model, _right):
    ordinary = unshare_layers(model)
    same_outputs(ordinary, model)
    for name, layer in named_layers(ordinary).items():
        assert isinstance(layer.weight, nn.Parameter)
        assert layer.weight.requires_grad == any(
            parameter.requires_grad
            for key, parameter in model.named_parameters(remove_duplicate=False)
            if key.startswith(name) and not key.endswith("bias")
        )


def list_shared_layers(model, right):
    assert list(shared_layers(model)) == (["0.weight", "5.weight"] if right.parameters == 24 else [])
    fit_codebooks(model)


# Sparse storage


def store_sparsely(model, right):
    sparse = sparsify(model)
    assert named_layers(sparse) == {}
    same_outputs(sparse, model, relative=max(1e-5, rounding(model)))
    assert total_sparsity(sparse) == pytest.approx(right.zeros)
    assert sum(p.numel() for p in sparse.parameters() if p.is_sparse) == right.weights


def pack_weights(model, right):
    weights = {name: weight.detach() for name, weight in prunable_weights(model).items()}
    size = next((weight.element_size() for weight in weights.values()), 4)
    counted = count_storage_bytes(weights.values())
    assert counted.dense == size * right.weights
    restored = unpack_sparse(pack_sparse(weights))
    assert restored.keys() == weights.keys()
    assert all(torch.equal(restored[name], weights[name]) for name in weights)
    assert all(restored[name].dtype == weights[name].dtype for name in weights)


# Profiling


def count_parameters(model, right):
    assert profiling.count_parameters(model)[0] == right.parameters
    state = {id(tensor): tensor for tensor in model.state_dict(keep_vars=True).values()}
    tensors = sum(tensor.nbytes for tensor in state.values())
    assert tensors <= profiling.serialized_bytes(model) <= tensors + 120 * len(state) + 100


def count_macs(model, right):
    x = as_input(IMAGES, model)
    assert profiling.count_macs(model, x) == right.macs
    assert sum(closed_form_macs(model, x).values()) == right.macs


def count_macs_by_layer(model, right):
    macs = closed_form_macs(model, as_input(IMAGES, model))
    assert sum(macs.values()) == right.macs
    assert macs.keys() == {name for name in named_layers(model) if name != "spare"}


def time_layers(model, _right):
    times = layer_times_ms(model, as_input(IMAGES, model), warmup=0, batches=2)
    assert {name for name in named_layers(model) if name != "spare"} <= times.keys()
    assert not any("parametrizations" in name for name in times)


def profile(model, right):
    timing = profiling.Timing(batch_size=4, warmup=0, batches=1, energy_seconds=0)
    result = profiling.profile(model, DATASET, timing=timing)
    assert (result.parameters, result.macs) == (right.parameters, right.macs)
    assert result.sparsity == pytest.approx(right.zeros)
    assert result.memory.resident > 4 * 3 * 32 * 32


# Training


def evaluate_network(model, _right):
    logits = outputs(model)
    result = evaluate(model, DATASET, DATASET.test, batch_size=5)
    labels = DATASET.test.labels
    assert result.loss == pytest.approx(float(functional.cross_entropy(logits, labels)), rel=1e-2)
    assert result.top1 == 100 * float((logits.argmax(1) == labels).double().mean())


def train(model, _right):
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    records = fit(model, DATASET, CONFIG, progress=False)
    assert len(records) == 2
    assert all(math.isfinite(record.train_loss + record.validation_loss) for record in records)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:  # in bfloat16, a step of batch norm's γ rounds to nothing
            moves = parameter.requires_grad and "spare" not in name
            assert torch.equal(parameter, before[name]) == (not moves), name


def replay(model, _right):
    assert all(map(math.isfinite, loss_prefix(model, DATASET, CONFIG, steps=2)))


def teach(model, _right):
    distiller = Distiller(model, weight=0.5, temperature=2.0, inner=Callback())
    labels, inputs = DATASET.test.labels, as_input(IMAGES, model)
    assert math.isfinite(
        float(distiller.loss(inputs, torch.zeros(len(labels), 4, dtype=inputs.dtype), labels))
    )


TRAINED = {"no parameters": "Sequential .* no parameter"}
CHAINS = {
    "one module under two names": "TwoNames",
    "one module twice in a chain": r"'5\.weight' and '7\.weight' are one weight",
    "tied parameters": r"'5\.weight' and '7\.weight' are one weight",
    "unused layer": "Unused",
    "no parameters": "no convolution or linear layer",
    "DataParallel": "DataParallel",
}

# For each function, what its message says about the networks it refuses.
FUNCTIONS = {
    count_weights: {},
    mask_by_magnitude: {},
    apply_global_masks: COMPUTED,
    score: COMPUTED,
    mask_by_rule: COMPUTED,
    prune_gradually: COMPUTED | TRAINED,
    prune_in_stages: COMPUTED | TRAINED,
    scan: COMPUTED | CHAINS,
    reestimate: {},
    quantize: COMPUTED | STAND_INS,
    share: COMPUTED | {"shared values": "shared already"} | TIED,
    cluster: COMPUTED | TIED | TRAINED,
    unshare: {"torch-pruned": "'0'"},
    list_shared_layers: {},
    store_sparsely: STAND_INS | {"torch-pruned": "'0' .* computes its weight"} | TIED,
    pack_weights: {},
    count_parameters: {},
    count_macs: {"ConvTranspose2d": "'1'"},
    count_macs_by_layer: {},
    time_layers: {},
    profile: {"ConvTranspose2d": "'1'"},
    evaluate_network: {},
    train: TRAINED,
    replay: TRAINED,
    teach: {},
}


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_a_function_handles_a_network_or_names_the_layer(function, network):
    right = NETWORKS[network]
    model, message = right(), FUNCTIONS[function].get(network)
    if message is None:
        function(model, right)
        return
    before = outputs(model)
    with pytest.raises(ValueError, match=message):
        function(model, right)
    assert torch.equal(outputs(model), before)


def chosen_numbers(integer):
    """Results that depend on a batch size, a seed or a count, which are made by ``integer``."""
    torch.manual_seed(0)
    model = plain()
    options = {"images_per_class": integer(2), "batch_size": integer(4), "seed": integer(3)}
    yield from (images for images, _ in calibration_batches(DATASET, **options))
    yield from random_masks(model, 0.5, seed=integer(2)).values()
    scanned = sensitivity_scan(model, DATASET, DATASET.test, sparsities=(0.5,), batch_size=integer(4))
    yield torch.tensor(scanned.losses)
    reestimate_batch_norm(model, DATASET, image_count=integer(8), seed=integer(2))
    yield model[1].running_mean.clone()
    yield torch.tensor(evaluate(model, DATASET, DATASET.test, batch_size=integer(4)))
    yield from share_layers(model, integer(4), seed=integer(3)).state_dict().values()
    yield from cluster_layers(model, integer(4)).state_dict().values()
    config = TrainConfig(epochs=integer(1), batch_size=integer(16), seed=integer(1))
    yield torch.tensor([record.train_loss for record in fit(model, DATASET, config, progress=False)])
    small = VGG16(integer(4), channels=[integer(3)] * 13)
    small = prune_channels(small, DATASET, [integer(2)] * 13, selection="random", seed=integer(2))
    yield from small.state_dict().values()
    seed_everything(integer(3))
    yield torch.rand(3)


@pytest.mark.parametrize("kind", [np.int64, np.uint8])
def test_numpys_integers_choose_the_same_as_pythons(kind):
    chosen, right = list(chosen_numbers(kind)), list(chosen_numbers(int))
    assert len(chosen) == len(right)
    assert all(map(torch.equal, chosen, right))
