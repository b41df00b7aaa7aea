import io
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import same_state, seeded_network
from torch import nn

from labkit.coding import FormatError, encode
from labkit.models import VGG16, prunable_weights
from labkit.pruning.magnitude import apply_masks, layer_masks
from labkit.sparse import (
    CooConv2d,
    CooLinear,
    coo_mask,
    count_storage_bytes,
    pack_sparse,
    sparsify,
    to_coo,
    unpack_sparse,
)

SHAPES = st.lists(st.integers(0, 4), min_size=1, max_size=4)


@st.composite
def masked_weights(draw):
    """A weight with zeros where the mask is False, and some kept weights that are 0 all the same."""
    shape = draw(SHAPES)
    count = math.prod(shape)
    mask = torch.tensor(draw(st.lists(st.booleans(), min_size=count, max_size=count)), dtype=torch.bool)
    values = draw(st.lists(st.sampled_from([0.0, 1.0, -2.5, 1e-30]), min_size=count, max_size=count))
    return (torch.tensor(values) * mask).reshape(shape), mask.reshape(shape)


def pruned(layer, sparsity=0.8):
    apply_masks(layer, layer_masks(layer, sparsity))
    return layer


# Coordinates and values


@settings(deadline=None, derandomize=True)
@given(drawn=masked_weights())
def test_the_coordinates_are_the_masks_and_the_dense_weight_comes_back(drawn):
    weight, mask = drawn
    coo = to_coo(weight, mask)
    expected = [list(place) for place in torch.argwhere(mask).tolist()]
    assert coo.indices().T.tolist() == expected
    assert coo.indices().dtype == torch.int64
    assert coo.is_coalesced()
    assert torch.equal(coo_mask(coo), mask)
    assert torch.equal(coo.to_dense(), weight)
    assert torch.equal(coo_mask(to_coo(weight)), weight != 0)


@settings(deadline=None, derandomize=True)
@given(drawn=masked_weights())
def test_torch_finds_the_invariants_kept_and_its_own_conversion_agrees(drawn):
    weight, _ = drawn
    coo = to_coo(weight)
    checked = torch.sparse_coo_tensor(coo.indices(), coo.values(), coo.shape, check_invariants=True)
    assert torch.equal(checked.to_dense(), weight)
    assert torch.equal(weight.to_sparse().coalesce().indices(), coo.indices())


def test_a_weight_outside_the_mask_is_refused_with_a_count():
    mask = torch.tensor([[True, False], [False, True]])
    with pytest.raises(ValueError, match="2 weights outside the mask are not 0; apply the mask"):
        to_coo(torch.ones(2, 2), mask)
    with pytest.raises(ValueError, match="1 weights outside the mask"):
        to_coo(torch.tensor([[1.0, math.nan], [0.0, 1.0]]), mask)


@pytest.mark.parametrize("mask", [torch.ones(4), torch.ones(2, 2), torch.ones(1, 2, dtype=torch.bool)])
def test_a_mask_of_another_shape_or_type_is_refused(mask):
    with pytest.raises(ValueError, match=r"torch\.bool of shape \(2, 2\)"):
        to_coo(torch.ones(2, 2), mask)


def test_the_mask_of_a_tensor_that_is_not_coalesced_names_each_coordinate_once():
    twice = torch.sparse_coo_tensor(
        torch.tensor([[1, 0, 1]]), torch.tensor([1.0, 2.0, 3.0]), (3,), check_invariants=True
    )
    assert coo_mask(twice).tolist() == [True, True, False]


# Layers


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(7,), (1, 7), (5, 7), (2, 3, 7), (0, 7)])
def test_a_sparse_linear_layer_computes_what_the_dense_one_does(bias, shape):
    torch.manual_seed(0)
    layer = pruned(nn.Linear(7, 4, bias=bias))
    x = torch.randn(shape)
    assert torch.allclose(CooLinear(layer)(x), layer(x), atol=1e-6)


def test_the_linear_layer_multiplies_in_sparse_form(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("densified")

    layer = CooLinear(pruned(nn.Linear(7, 4)))
    monkeypatch.setattr(torch.Tensor, "to_dense", refuse)
    layer(torch.ones(2, 7))
    with pytest.raises(AssertionError, match="densified"):
        CooConv2d(pruned(nn.Conv2d(2, 3, 3)))(torch.ones(1, 2, 5, 5))


@pytest.mark.parametrize(
    "options",
    [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "bias": False}, {"groups": 2}, {"padding": "same"}],
)
def test_a_sparse_convolution_computes_exactly_what_the_dense_one_does(options):
    torch.manual_seed(0)
    layer = pruned(nn.Conv2d(4, 6, 3, **options))
    x = torch.randn(2, 4, 9, 9)
    assert torch.equal(CooConv2d(layer)(x), layer(x))


@pytest.mark.parametrize("sparsity", [0.0, 1.0])
def test_layers_without_zeros_and_of_zeros_alone_work(sparsity):
    torch.manual_seed(0)
    linear, conv = pruned(nn.Linear(3, 2), sparsity), pruned(nn.Conv2d(2, 3, 2), sparsity)
    assert torch.allclose(CooLinear(linear)(torch.ones(2, 3)), linear(torch.ones(2, 3)), atol=1e-6)
    assert torch.equal(CooConv2d(conv)(torch.ones(1, 2, 3, 3)), conv(torch.ones(1, 2, 3, 3)))


def test_a_convolution_that_does_not_pad_with_zeros_is_refused():
    with pytest.raises(ValueError, match="pads with zeros, not 'reflect'"):
        CooConv2d(nn.Conv2d(2, 2, 3, padding=1, padding_mode="reflect"))


# Whole models


def test_a_sparse_model_agrees_with_the_dense_one_which_is_not_changed():
    torch.manual_seed(0)
    model = pruned(VGG16(10, channels=[6] * 13)).eval()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    sparse = sparsify(model)
    x = torch.randn(2, 3, 32, 32)
    assert torch.allclose(sparse(x), model(x), atol=1e-5)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    kinds = [type(module) for module in sparse.modules()]
    assert kinds.count(CooConv2d) == 13
    assert kinds.count(CooLinear) == 3
    assert prunable_weights(sparse) == {}
    assert not any(module.training for module in sparse.modules())


def test_a_sparse_models_state_can_be_loaded_by_another_of_the_same_shapes():
    torch.manual_seed(0)
    model, other = (sparsify(pruned(seeded_network(seed))).eval() for seed in (0, 1))
    x = torch.randn(2, 3, 32, 32)
    assert not torch.equal(other(x), model(x))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(x), model(x))
    assert torch.equal(coo_mask(other[5].weight), coo_mask(model[5].weight))


def test_a_layer_alone_is_replaced_too():
    layer = pruned(nn.Linear(7, 4))
    sparse = sparsify(layer, layer_masks(layer, 0.8))
    assert isinstance(sparse, CooLinear)
    assert sparse.training


def test_the_masks_given_decide_the_coordinates_even_of_weights_that_are_0():
    model = seeded_network()
    masks = layer_masks(model, 0.5)
    apply_masks(model, masks)
    place = tuple(masks["5.weight"].nonzero()[0])
    with torch.no_grad():
        model[5].weight[place] = 0.0  # kept, and 0 by training
    sparse = sparsify(model, masks)
    for name, mask in masks.items():
        assert torch.equal(coo_mask(sparse.get_submodule(name.removesuffix(".weight")).weight), mask)
    assert sparsify(model).get_submodule("5").weight.values().numel() == int(masks["5.weight"].sum()) - 1


def test_a_mask_that_fits_no_weight_is_refused():
    model = seeded_network()
    with pytest.raises(ValueError, match=r"9\.weight.*0\.weight"):
        sparsify(model, {"9.weight": torch.ones(1, dtype=torch.bool)})
    with pytest.raises(ValueError, match="outside the mask"):
        sparsify(model, layer_masks(model, 0.5))
    assert same_state(model, seeded_network())


# Bytes


def test_the_bytes_are_those_of_the_tensors():
    torch.manual_seed(0)
    layer = pruned(nn.Conv2d(32, 64, 3), 0.9)
    coo = to_coo(layer.weight)
    sizes = count_storage_bytes([layer.weight])
    assert sizes.dense == layer.weight.nbytes
    assert sizes.coo == coo.indices().nbytes + coo.values().nbytes
    assert sizes.bitmap == 64 * 32 * 9 // 8 + coo.values().nbytes
    assert sizes.coded == len(pack_sparse({"0": layer.weight}))
    assert sizes.coded < sizes.bitmap < sizes.coo


def test_a_saved_sparse_layer_takes_its_coo_bytes():
    layer = pruned(nn.Linear(300, 200, bias=False), 0.9)
    buffer = io.BytesIO()
    torch.save(CooLinear(layer).state_dict(), buffer)
    assert 0 <= len(buffer.getvalue()) - count_storage_bytes([layer.weight]).coo < 3_000


@pytest.mark.parametrize(("shape", "even"), [((45, 2, 1, 1), 8 / 9), ((9, 10), 4 / 5)])
def test_coo_breaks_even_where_the_docstring_says(shape, even):
    count = math.prod(shape)
    weight = torch.ones(count)
    weight[: round(even * count)] = 0
    sizes = count_storage_bytes([weight.reshape(shape)])
    assert sizes.coo == sizes.dense
    weight[-2:] = torch.tensor([0.0, 1.0])
    sizes = count_storage_bytes([weight.reshape(shape)])
    assert sizes.coo < sizes.dense


def test_several_weights_add_up_and_none_are_no_bytes_but_the_files_own():
    first, second = pruned(nn.Linear(30, 20)).weight, pruned(nn.Conv2d(3, 5, 3)).weight
    both, one, other = (count_storage_bytes(w) for w in ([first, second], [first], [second]))
    assert both[:3] == tuple(a + b for a, b in zip(one[:3], other[:3], strict=True))
    assert count_storage_bytes([])[:3] == (0, 0, 0)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(drawn=masked_weights(), half=st.booleans())
def test_packed_weights_come_back_bit_for_bit(drawn, half):
    weight = drawn[0].half() if half else drawn[0]
    weight = weight + 0.0  # no −0.0
    back = unpack_sparse(pack_sparse({"w": weight, "v": torch.eye(3)}))
    assert list(back) == ["w", "v"]
    assert back["w"].dtype == weight.dtype
    assert torch.equal(back["w"], weight)
    assert torch.equal(back["v"], torch.eye(3))


def test_bytes_of_something_else_are_refused():
    mask, values = torch.eye(2).bool().numpy(), torch.ones(3).numpy()
    with pytest.raises(FormatError, match="not a labkit container"):
        unpack_sparse(b"GIF89a")
    with pytest.raises(FormatError, match=r"keeps 2 weights, its values are \(3,\)"):
        unpack_sparse(encode({"w.mask": mask, "w.values": values}))
    with pytest.raises(FormatError, match="not stored as a mask and values"):
        unpack_sparse(encode({"w.mask": mask}))
    with pytest.raises(FormatError, match="something other"):
        unpack_sparse(encode({"w": values}))
    data = bytearray(pack_sparse({"w": torch.eye(3)}))
    data[-7] ^= 1
    with pytest.raises(FormatError, match="checksum"):
        unpack_sparse(bytes(data))
