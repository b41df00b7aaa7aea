import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from tiny import seeded_network, tiny_dataset
from torch import nn
from torch.nn import functional

from labkit.models import ResNet20, prunable_weights
from labkit.pruning.callbacks import PruningCallback
from labkit.pruning.magnitude import apply_masks, layer_masks
from labkit.quantization.affine import (
    AffineGrid,
    count_quantized_bytes,
    dequantize,
    fake_quantize,
    fit_grid,
    quantize,
    straight_through,
)
from labkit.quantization.layers import (
    QuantizedConv2d,
    QuantizedLinear,
    quantize_layers,
    quantize_residual_blocks,
    quantized_layers,
    quantized_weights,
)
from labkit.quantization.model_size import count_model_bytes, sparsity_change
from labkit.training import TrainConfig, fit

SCHEMES = ("asymmetric", "symmetric")
PROPERTY = settings(deadline=None, derandomize=True, max_examples=150)

scheme_and_bits = st.one_of(
    st.tuples(st.just("asymmetric"), st.integers(1, 16)),
    st.tuples(st.just("symmetric"), st.integers(2, 16)),
)


@st.composite
def tensors(draw, min_dims=1):
    """float32 of any small shape, empty ones and ones full of halves, zeros and equal values included."""
    shape = draw(array_shapes(min_dims=min_dims, max_dims=3, min_side=0, max_side=6))
    halves = st.integers(-20, 20).map(lambda number: number / 2)
    reals = st.floats(-1e6, 1e6, width=32)
    tiny = st.floats(-(2.0**-116), 2.0**-116, width=32)
    elements = draw(st.sampled_from([halves, reals, tiny]))
    return torch.from_numpy(draw(arrays(np.float32, shape, elements=elements)))


def rounding_slack(x):
    """What float32 may add to the error: a few units in the last place of the largest value."""
    return 4 * torch.finfo(torch.float32).eps * x.abs().max() if x.numel() else torch.tensor(0.0)


@pytest.mark.parametrize("per_channel", [False, True])
@given(x=tensors(), how=scheme_and_bits)
@PROPERTY
def test_error_is_at_most_half_a_scale(x, how, per_channel):
    scheme, bits = how
    grid = fit_grid(x, bits=bits, scheme=scheme, per_channel=per_channel)
    error = (x.double() - dequantize(quantize(x, grid), grid).double()).abs()
    assert (error <= grid.scale.double() / 2 + rounding_slack(x)).all()


@pytest.mark.parametrize("per_channel", [False, True])
@given(x=tensors(), how=scheme_and_bits)
@PROPERTY
def test_quantizing_twice_changes_no_level(x, how, per_channel):
    scheme, bits = how
    grid = fit_grid(x, bits=bits, scheme=scheme, per_channel=per_channel)
    levels = quantize(x, grid)
    values = dequantize(levels, grid)
    assert torch.equal(quantize(values, grid), levels)
    refitted = fit_grid(values, bits=bits, scheme=scheme, per_channel=per_channel)
    # a channel whose values all became 0 gets another scale, but the same levels around its zero point
    assert torch.equal(
        quantize(values, refitted).int() - refitted.zero_point, levels.int() - grid.zero_point
    )


@given(x=tensors(), how=scheme_and_bits, kept=st.integers(0, 2**16))
@PROPERTY
def test_zeros_stay_exactly_zero(x, how, kept):
    scheme, bits = how
    mask = torch.from_numpy(np.random.default_rng(kept).random(x.shape) < 0.3)
    pruned = x.masked_fill(~mask, 0.0)
    assert torch.equal(fake_quantize(pruned, bits=bits, scheme=scheme)[~mask], pruned[~mask])


@given(x=tensors(), how=scheme_and_bits)
@PROPERTY
def test_levels_lie_on_the_grid_and_reach_an_end_of_it(x, how):
    scheme, bits = how
    grid = fit_grid(x, bits=bits, scheme=scheme)
    levels = quantize(x, grid).int()
    assert grid.zero_point.dtype == torch.int32
    assert grid.lowest <= int(grid.zero_point) <= grid.highest
    assert grid.highest - grid.lowest == (2**bits - 1 if scheme == "asymmetric" else 2**bits - 2)
    if x.numel():
        assert grid.lowest <= int(levels.min()) <= int(levels.max()) <= grid.highest
    if x.numel() and float(x.abs().max()) > 1e-30:
        assert int(levels.max()) == grid.highest or int(levels.min()) == grid.lowest


@given(x=tensors(), bits=st.integers(2, 16))
@PROPERTY
def test_a_symmetric_grid_treats_both_signs_alike(x, bits):
    assert torch.equal(
        fake_quantize(-x, bits=bits, scheme="symmetric"), -fake_quantize(x, bits=bits, scheme="symmetric")
    )


def test_integers_from_0_to_255_are_kept_at_8_bits():
    x = torch.arange(256.0)
    grid = fit_grid(x, bits=8)
    assert (grid.scale.item(), grid.zero_point.item()) == (1.0, 0)
    assert quantize(x, grid).dtype == torch.uint8
    assert torch.equal(quantize(x, grid), torch.arange(256, dtype=torch.uint8))
    assert torch.equal(dequantize(quantize(x, grid), grid), x)


@pytest.mark.parametrize(
    ("bits", "scheme", "expected"),
    [
        (2, "asymmetric", [0, 1, 2, 3]),
        (3, "asymmetric", [0, 1, 5, 7]),
        (2, "symmetric", [0, 0, 1, 1]),
        (3, "symmetric", [-1, 0, 2, 3]),
    ],
)
def test_levels_worked_out_by_hand(bits, scheme, expected):
    # asymmetric, 2 bits: 3 steps of 1; 3 bits: 7 steps of 3/7, 1.75/(3/7) = 4.08; symmetric: max 2.5
    x = torch.tensor([-0.5, 0.0, 1.75, 2.5])
    if bits == 2 and scheme == "asymmetric":
        x[2] = 1.2
    assert quantize(x, fit_grid(x, bits=bits, scheme=scheme)).tolist() == expected


def test_agrees_with_torch_on_the_same_grid():
    x = torch.from_numpy(np.random.default_rng(0).standard_normal((8, 40)).astype(np.float32))
    grid = fit_grid(x, bits=8)
    reference = torch.fake_quantize_per_tensor_affine(x, grid.scale, grid.zero_point, 0, 255)
    torch.testing.assert_close(fake_quantize(x, bits=8), reference, rtol=1e-6, atol=1e-6)
    grid = fit_grid(x, bits=8, per_channel=True)
    reference = torch.fake_quantize_per_channel_affine(
        x, grid.scale[:, 0], grid.zero_point[:, 0], 0, 0, 255
    )
    torch.testing.assert_close(fake_quantize(x, bits=8, per_channel=True), reference, rtol=1e-6, atol=1e-6)


def test_two_bits_symmetric_are_ternary():
    x = torch.from_numpy(np.random.default_rng(0).standard_normal(1000).astype(np.float32))
    largest = x.abs().max().item()
    assert fake_quantize(x, bits=2, scheme="symmetric").unique().tolist() == [-largest, 0.0, largest]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_all_zero_channel_has_scale_1_and_stays_zero(scheme):
    x = torch.randn(4, 3, 2, generator=torch.Generator().manual_seed(0))
    x[2] = 0
    grid = fit_grid(x, bits=4, scheme=scheme, per_channel=True)
    assert grid.scale.shape == grid.zero_point.shape == (4, 1, 1)
    assert grid.scale[2].item() == 1.0
    quantized = dequantize(quantize(x, grid), grid)
    assert not quantized[2].any()
    assert all(quantized[channel].any() for channel in (0, 1, 3))


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("value", [0.7, -0.7, 0.0, 1e-42])
def test_a_constant_tensor_is_kept(value, scheme, per_channel):
    x = torch.full((3, 5), value)
    grid = fit_grid(x, bits=8, scheme=scheme, per_channel=per_channel)
    torch.testing.assert_close(dequantize(quantize(x, grid), grid), x, rtol=1e-6, atol=1e-38)
    if abs(value) < 1e-40:
        assert (grid.scale == 1).all()


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0)])
@pytest.mark.parametrize("per_channel", [False, True])
def test_an_empty_tensor_stays_empty(shape, per_channel):
    assert fake_quantize(torch.empty(shape), bits=4, per_channel=per_channel).shape == shape


def test_one_channel_at_a_time_gives_the_same_as_per_channel():
    x = torch.randn(5, 3, 3, 3, generator=torch.Generator().manual_seed(1)) * torch.logspace(-3, 3, 5).view(
        5, 1, 1, 1
    )
    together = fake_quantize(x, bits=5, per_channel=True)
    assert torch.equal(together, torch.stack([fake_quantize(channel, bits=5) for channel in x]))
    assert not torch.equal(together, fake_quantize(x, bits=5))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_fake_quantize_keeps_the_dtype(dtype):
    x = torch.tensor([-1.0, 0.0, 0.5, 2.0], dtype=dtype)
    assert fake_quantize(x, bits=2).dtype == dtype
    assert fake_quantize(x, bits=2).tolist() == [-1.0, 0.0, 1.0, 2.0]


def test_neither_input_nor_its_gradient_history_is_touched():
    x = torch.tensor([-1.0, 0.4], requires_grad=True)
    fake_quantize(x, bits=2)
    assert x.tolist() == [-1.0, pytest.approx(0.4)]
    assert x.grad is None


@pytest.mark.parametrize("bits", [0, 17, -1, 2.0, True, None])
def test_bits_outside_1_to_16_are_refused(bits):
    with pytest.raises(ValueError, match=r"bits must be an integer from 1 to 16"):
        fit_grid(torch.ones(3), bits=bits)


@pytest.mark.parametrize(
    ("x", "options", "message"),
    [
        (torch.tensor([1.0, float("nan")]), {}, r"1 of 2 values are NaN or infinite"),
        (torch.tensor([float("inf"), -float("inf")]), {}, r"2 of 2 values are NaN or infinite"),
        (torch.tensor([1, 2]), {}, r"floating-point.*int64"),
        (torch.ones(2), {"scheme": "odd"}, r"'asymmetric' or 'symmetric', got 'odd'"),
        (torch.ones(2), {"scheme": "symmetric", "bits": 1}, r"only the level 0"),
        (torch.tensor(1.0), {"per_channel": True}, r"at least one dimension"),
        (torch.tensor([1e300], dtype=torch.float64), {}, r"exceeds float32"),
    ],
)
def test_what_cannot_be_quantized_is_refused(x, options, message):
    with pytest.raises(ValueError, match=message):
        fit_grid(x, **{"bits": 8, **options})


def test_quantize_refuses_nan_on_a_given_grid():
    with pytest.raises(ValueError, match="1 of 1 values are NaN"):
        quantize(torch.tensor([float("nan")]), fit_grid(torch.ones(1), bits=8))


def test_values_beyond_the_grid_become_its_ends():
    grid = AffineGrid(torch.tensor(0.5), torch.tensor(1, dtype=torch.int32), 2, "asymmetric")
    assert dequantize(quantize(torch.tensor([-9.0, 9.0]), grid), grid).tolist() == [-0.5, 1.0]


def test_bytes_are_the_packed_levels_and_the_grid():
    x = torch.ones(10, 3)
    assert count_quantized_bytes(30, fit_grid(x, bits=3)) == (12, 5)
    assert count_quantized_bytes(30, fit_grid(x, bits=12)) == (45, 6)
    assert count_quantized_bytes(30, fit_grid(x, bits=8, scheme="symmetric")) == (30, 4)
    size = count_quantized_bytes(30, fit_grid(x, bits=8, per_channel=True))
    assert (size, size.total) == ((30, 50), 80)
    assert count_quantized_bytes(0, fit_grid(x, bits=8)).payload == 0


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize(("scheme", "bits"), [("asymmetric", 1), ("asymmetric", 4), ("symmetric", 2)])
def test_the_gradient_passes_straight_through(scheme, bits, per_channel):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(6, 5, generator=generator).requires_grad_()
    weight = torch.randn(6, 5, generator=generator)
    y = straight_through(x, bits=bits, scheme=scheme, per_channel=per_channel)
    assert torch.equal(y, fake_quantize(x, bits=bits, scheme=scheme, per_channel=per_channel))
    (y.sin() * weight).sum().backward()
    # the chain rule with dy/dx = 1, taken at the quantized value
    torch.testing.assert_close(x.grad, y.detach().cos() * weight)


def test_a_quantized_convolution_computes_with_its_rounded_weight():
    conv = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, padding_mode="reflect")
    x = torch.randn(2, 4, 8, 8)
    expected = nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2, padding_mode="reflect")
    expected.load_state_dict({"weight": fake_quantize(conv.weight, bits=3), "bias": conv.bias})
    quantized = QuantizedConv2d(conv, bits=3)
    assert quantized.weight is conv.weight
    torch.testing.assert_close(quantized(x), expected(x))
    assert not torch.allclose(quantized(x), conv(x))


def test_a_quantized_linear_layer_trains_its_float_weight():
    layer = QuantizedLinear(nn.Linear(5, 3, bias=False), bits=2, scheme="symmetric")
    x = torch.randn(7, 5)
    assert torch.equal(
        layer(x), functional.linear(x, fake_quantize(layer.weight, bits=2, scheme="symmetric"))
    )
    layer(x).sum().backward()
    torch.testing.assert_close(layer.weight.grad, x.sum(dim=0).expand(3, 5))


def test_residual_blocks_are_quantized_and_nothing_else():
    model = ResNet20(shortcut="projection")
    quantized = quantize_residual_blocks(model, bits=4)
    convolutions = [name for name, layer in model.named_modules() if isinstance(layer, nn.Conv2d)]
    assert list(quantized_layers(quantized)) == [name for name in convolutions if name != "conv1"]
    assert len(quantized_layers(quantize_residual_blocks(ResNet20(), bits=4))) == 18
    assert not quantized_layers(model)
    assert type(quantized.conv1) is nn.Conv2d
    assert type(quantized.linear) is nn.Linear


def test_a_float_checkpoint_loads_into_the_quantized_network_and_back():
    model, other = ResNet20(), ResNet20()
    quantized = quantize_residual_blocks(model, bits=8)
    assert list(quantized.state_dict()) == list(model.state_dict())
    assert list(prunable_weights(quantized)) == list(prunable_weights(model))
    quantized.load_state_dict(other.state_dict())
    model.load_state_dict({**quantized.state_dict(), **quantized_weights(quantized)})
    x = torch.randn(2, 3, 32, 32)
    with torch.inference_mode():
        torch.testing.assert_close(model.eval()(x), quantized.eval()(x))
    assert all(weight.unique().numel() <= 256 for name, weight in quantized_weights(quantized).items()
               if name.startswith("layer"))  # fmt: skip


def test_quantizing_again_replaces_the_grid():
    model = seeded_network()
    again = quantize_layers(quantize_layers(model, bits=2), ["0"], bits=8)
    assert {name: layer.bits for name, layer in quantized_layers(again).items()} == {"0": 8, "5": 2}
    assert torch.equal(again[0].weight, model[0].weight)


def test_a_copy_does_not_share_weights_and_draws_no_random_numbers():
    model = seeded_network()
    state = torch.random.get_rng_state()
    quantized = quantize_layers(model, bits=4)
    assert torch.equal(torch.random.get_rng_state(), state)
    with torch.no_grad():
        quantized[0].weight.zero_()
    assert model[0].weight.any()


def test_layers_that_are_not_there_are_refused():
    with pytest.raises(ValueError, match=r"'1' .*convolution.* 0, 5"):
        quantize_layers(seeded_network(), ["1"], bits=4)
    with pytest.raises(ValueError, match=r"Sequential has no convolutions in layer1"):
        quantize_residual_blocks(seeded_network(), bits=4)
    with pytest.raises(ValueError, match="bits must be"):
        quantize_layers(seeded_network(), bits=17)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_sparsity_before_and_after_quantization(scheme):
    model = seeded_network()
    apply_masks(model, layer_masks(model, 0.2))
    coarse = sparsity_change(quantize_layers(model, bits=2, scheme=scheme))
    fine = sparsity_change(quantize_layers(model, bits=16, scheme=scheme))
    counted = [(weight == 0).sum().item() for weight in quantized_weights(
        quantize_layers(model, bits=2, scheme=scheme)).values()]  # fmt: skip
    assert coarse.before == fine.before == fine.after == 37 / 186
    assert coarse.after == sum(counted) / 186
    assert coarse.after > coarse.before
    assert sparsity_change(nn.ReLU()) == (0.0, 0.0)


def test_model_bytes_add_up():
    model = seeded_network()
    size = count_model_bytes(quantize_layers(model, ["0"], bits=3))
    assert size == (61, 5, (24 + 4) * 4 + 4 * 6 * 4 + 8)  # 162 weights; classifier; BN, its counter
    assert size.total == sum(size)
    assert count_model_bytes(model).total == sum(value.nbytes for value in model.state_dict().values())


def test_quantization_aware_training_keeps_masks_and_learns():
    model = seeded_network()
    masks = layer_masks(model, 0.5)
    apply_masks(model, masks)
    quantized = quantize_layers(model, bits=4)
    records = fit(
        quantized,
        tiny_dataset(),
        TrainConfig(epochs=6, batch_size=32, peak_lr=0.1),
        callback=PruningCallback({}),
        progress=False,
    )
    for name, weight in quantized_weights(quantized).items():
        assert not weight[~masks[name]].any()
        assert weight.unique().numel() <= 16
    assert all(not torch.equal(a, b) for a, b in zip(
        prunable_weights(quantized).values(), prunable_weights(model).values(), strict=True))  # fmt: skip
    assert records[-1].train_loss < 0.8 * records[0].train_loss


@pytest.mark.parametrize("kind", [np.int64, np.int8, np.uint8])
@pytest.mark.parametrize("bits", [4, 8, 16])
def test_numpys_integers_are_bits_like_pythons(kind, bits):
    x = torch.linspace(-1, 2, 100)
    assert torch.equal(fake_quantize(x, bits=kind(bits)), fake_quantize(x, bits=bits))
    assert fit_grid(x, bits=kind(bits)).highest == 2**bits - 1
    layer = quantize_layers(nn.Linear(3, 2), bits=kind(bits))
    assert type(layer.bits) is int


def test_a_layer_that_another_one_also_calls_by_a_list_is_replaced_there_too():
    class Listed(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 3)
            self.calls = [self.layer, self.layer]  # not registered, as a list of modules is not

        def forward(self, x):
            return self.calls[1](self.calls[0](x))

    quantized = quantize_layers(Listed(), bits=2)
    assert quantized.calls == [quantized.layer, quantized.layer]
    assert isinstance(quantized.layer, QuantizedLinear)


def test_one_of_two_names_chooses_the_layer_under_both():
    model = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    model.append(model[0])
    quantized = quantize_layers(model, ["2"], bits=2)
    assert quantized[0] is quantized[2]
    assert isinstance(quantized[0], QuantizedLinear)
    assert type(model[0]) is nn.Linear


def test_attention_is_refused_because_it_reads_its_projections_weight_itself():
    with pytest.raises(ValueError, match=r"'attention\.out_proj'"):
        quantize_layers(nn.ModuleDict({"attention": nn.MultiheadAttention(4, 2)}), bits=4)


def test_a_layer_whose_bias_alone_is_parametrized_is_refused_by_name():
    layer = nn.utils.parametrize.register_parametrization(nn.Linear(3, 2), "bias", nn.Tanh())
    with pytest.raises(ValueError, match=r"'0' \(ParametrizedLinear\)"):
        quantize_layers(nn.Sequential(layer), bits=4)


def test_a_layer_that_its_first_input_initializes_is_refused_before():
    with pytest.raises(ValueError, match=r"'0' \(LazyLinear\) has no weight"):
        quantize_layers(nn.Sequential(nn.LazyLinear(3)), bits=4)
