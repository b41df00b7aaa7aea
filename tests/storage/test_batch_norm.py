import copy

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from labkit.coding import FormatError, decode, encode
from labkit.storage.state_dict import pack_state, unpack_state

pytestmark = pytest.mark.heavy

CHANNELS = 6


class Frozen(nn.Module):
    """A batch normalization of constants, as detectors have it: no count of batches, no parameters."""

    def __init__(self):
        super().__init__()
        for name in ("weight", "bias", "running_mean", "running_var"):
            self.register_buffer(name, torch.ones(CHANNELS))

    def forward(self, x):
        return functional.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias)


def without_bias(layer):
    layer.register_parameter("bias", None)
    return layer


FOLDED = {
    "BatchNorm1d": nn.BatchNorm1d(CHANNELS),
    "BatchNorm2d": nn.BatchNorm2d(CHANNELS),
    "BatchNorm3d": nn.BatchNorm3d(CHANNELS),
    "SyncBatchNorm": nn.SyncBatchNorm(CHANNELS),
    "InstanceNorm2d": nn.InstanceNorm2d(CHANNELS, affine=True, track_running_stats=True),
    "epsilon 1e-3": nn.BatchNorm2d(CHANNELS, eps=1e-3),
    "epsilon 1e-8": nn.BatchNorm2d(CHANNELS, eps=1e-8),
    "half": nn.BatchNorm2d(CHANNELS).half(),
    "DataParallel": nn.DataParallel(nn.BatchNorm2d(CHANNELS)),
}
KEPT = {
    "without affine": nn.BatchNorm2d(CHANNELS, affine=False),
    "without affine, epsilon 1e-3": nn.BatchNorm2d(CHANNELS, affine=False, eps=1e-3),
    "without statistics": nn.BatchNorm2d(CHANNELS, track_running_stats=False),
    "without either": nn.BatchNorm2d(CHANNELS, affine=False, track_running_stats=False),
    "without bias": without_bias(nn.BatchNorm2d(CHANNELS)),
    "frozen": Frozen(),
}


def randomized(layer):
    """A copy with variances from 1e-7 to 1e6 and means many standard deviations from 0."""
    layer = copy.deepcopy(layer).eval()
    generator = torch.Generator().manual_seed(0)
    variance = 10.0 ** torch.arange(-7, 7, 14 / CHANNELS)[:CHANNELS]
    for name, value in layer.state_dict(keep_vars=True).items():
        if name.endswith("running_var"):
            value.data.copy_(variance if value.dtype == torch.float32 else variance.clamp(1e-4, 1e4))
        elif name.endswith("running_mean"):
            value.data.copy_(20 * variance.sqrt() * torch.randn(CHANNELS, generator=generator))
        elif value.ndim:
            value.data.copy_(torch.randn(CHANNELS, generator=generator))
    return layer


def is_folded(data):
    return any(name.endswith(".folded_scale") for name in decode(data))


def images(name):
    sides = {"BatchNorm1d": [5], "BatchNorm3d": [5, 5, 5]}.get(name, [5, 5])
    return torch.randn(4, CHANNELS, *sides, generator=torch.Generator().manual_seed(1)).double()


def assert_within_the_bound(computed, expected, factor, weight, shift):
    """The bound of docs/format.md for weight · factor + shift, whose two numbers were rounded.

    Each comes back within 2^-11 of itself, or within 2^-25.
    """
    bound = 2**-11 * ((weight * factor).abs() + shift.abs()) + 2**-25 * (factor.abs() + 1)
    assert ((computed - expected).abs() <= 1.001 * bound).all()


def per_channel(vector, x):
    return vector.double().reshape(1, -1, *[1] * (x.ndim - 2))


@pytest.mark.parametrize("name", FOLDED)
def test_a_folded_layer_loads_strictly_and_computes_the_same_within_the_bound(name):
    network = nn.ModuleDict({"norm": randomized(FOLDED[name])}).eval()
    layer = getattr(network["norm"], "module", network["norm"])
    data = pack_state(network.state_dict(), compact=True, bn_epsilon=layer.eps)
    assert is_folded(data)
    other = nn.ModuleDict({"norm": copy.deepcopy(FOLDED[name])}).float().eval()
    other.load_state_dict(unpack_state(data), strict=True)
    back = getattr(other["norm"], "module", other["norm"]).double()
    layer = copy.deepcopy(layer).double()
    scale = layer.weight / (layer.running_var + layer.eps).sqrt()
    x = images(name)
    shift = per_channel(layer.bias - layer.running_mean * scale, x)
    assert_within_the_bound(back(x), layer(x), x, per_channel(scale, x), shift)


@pytest.mark.parametrize("name", KEPT)
def test_a_layer_that_cannot_be_folded_keeps_its_statistics_and_loads_strictly(name):
    network = nn.ModuleDict({"norm": randomized(KEPT[name])}).eval()
    state = network.state_dict()
    data = pack_state(state, compact=True)
    assert not is_folded(data)
    other = nn.ModuleDict({"norm": copy.deepcopy(KEPT[name])}).eval()
    other.load_state_dict(unpack_state(data), strict=True)
    for part in ("running_mean", "running_var"):
        if f"norm.{part}" in state:
            assert torch.equal(other.state_dict()[f"norm.{part}"], state[f"norm.{part}"])
    layer, back = copy.deepcopy(network["norm"]).double(), other["norm"].double()
    plain = copy.deepcopy(layer)
    plain.weight = plain.bias = None
    x = images(name)
    weight = torch.ones(CHANNELS) if layer.weight is None else layer.weight
    shift = torch.zeros(CHANNELS) if layer.bias is None else layer.bias
    assert_within_the_bound(back(x), layer(x), plain(x), per_channel(weight, x), per_channel(shift, x))


def test_a_network_that_is_one_batch_normalization_keeps_its_statistics():
    layer = randomized(nn.BatchNorm2d(CHANNELS))
    back = unpack_state(pack_state(layer.state_dict(), compact=True))
    assert list(back) == list(layer.state_dict())
    assert torch.equal(back["running_var"], layer.running_var)


def test_layers_may_have_different_epsilons_and_a_missing_one_is_named():
    network = nn.Sequential(nn.BatchNorm2d(2, eps=1e-3), nn.BatchNorm2d(2), nn.BatchNorm2d(2, eps=0.5))
    epsilons = {name: layer.eps for name, layer in network.named_modules() if hasattr(layer, "eps")}
    back = unpack_state(pack_state(network.state_dict(), compact=True, bn_epsilon=epsilons))
    for name, epsilon in epsilons.items():
        assert back[f"{name}.running_var"].tolist() == pytest.approx([1 - epsilon] * 2)
    del epsilons["1"]
    with pytest.raises(ValueError, match="'1' has no epsilon"):
        pack_state(network.state_dict(), compact=True, bn_epsilon=epsilons)


@pytest.mark.parametrize("epsilon", [1.0, -1e-5, float("nan")])
def test_an_epsilon_that_no_variance_can_make_up_for_is_refused(epsilon):
    with pytest.raises(ValueError, match="epsilon"):
        pack_state(nn.Sequential(nn.BatchNorm2d(2)).state_dict(), compact=True, bn_epsilon=epsilon)


@pytest.mark.parametrize(
    ("variance", "epsilon"), [(-1.0, 1e-5), (0.0, 0.0), (1e-300, 0.0)], ids=["negative", "zero", "tiny"]
)
def test_a_variance_without_a_finite_scale_is_refused_by_name(variance, epsilon):
    state = nn.Sequential(nn.BatchNorm2d(2)).double().state_dict()
    state["0.running_var"][1] = variance
    state["0.weight"][1] = 1e200
    with pytest.raises(ValueError, match=r"'0\.running_var'"):
        pack_state(state, compact=True, bn_epsilon=epsilon)


def test_a_scale_beyond_half_precision_is_refused_by_name():
    state = nn.Sequential(nn.BatchNorm2d(2)).state_dict()
    state["0.running_var"].fill_(1e-20)
    with pytest.raises(ValueError, match="float16 ends at 65504"):
        pack_state(state, compact=True, bn_epsilon=1e-12)


def test_tensors_that_only_have_the_names_of_a_batch_normalization_are_not_folded():
    """A convolution with statistics beside its weight, as layers for quantization have them."""
    state = {f"a.{name}": tensor for name, tensor in nn.BatchNorm2d(2).state_dict().items()}
    state["a.weight"] = torch.randn(2, 3, 3, 3).half().float()
    assert list(unpack_state(pack_state(state, compact=True))) == list(state)


@pytest.mark.parametrize(
    "part",
    [
        {".folded_epsilon": np.array([1e-3])},
        {".folded_epsilon": np.array(2.0)},
        {".folded_epsilon": np.array(0.5, np.float32)},
        {".folded_epsilon": np.array(np.nan)},
        {".folded_scale": np.ones(2, np.int64)},
        {".folded_shift": np.ones(2)},
        {".bias": np.ones(2, np.float16)},
    ],
    ids=str,
)
def test_a_file_with_another_scale_shift_or_epsilon_is_a_format_error(part):
    vector = np.ones(2, np.float16)
    parts = {".folded_scale": vector, ".folded_shift": vector, **part}
    with pytest.raises(FormatError, match="'bn'"):
        unpack_state(encode({f"bn{suffix}": array for suffix, array in parts.items()}))
