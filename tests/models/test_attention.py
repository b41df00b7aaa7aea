import pytest
import torch
from torch import nn

from labkit.models.attention import (
    KeyValueCache,
    MultiHeadAttention,
    attend,
    causal_mask,
    use_products,
)

pytestmark = pytest.mark.usefixtures("no_fused_path_of_torch")

PRODUCTS = ("per head", "batched", "packed", "fused")
PADDED = torch.tensor([[True] * 5, [True, True, True, False, False]])[:, None, :]


def torchs(attention):
    """torch's attention with the weights of ours."""
    width = attention.query.in_features
    other = nn.MultiheadAttention(width, attention.heads, batch_first=True)
    layers = attention.query, attention.key, attention.value
    other.in_proj_weight.data = torch.cat([layer.weight for layer in layers]).detach()
    other.in_proj_bias.data = torch.cat([layer.bias for layer in layers]).detach()
    other.out_proj.load_state_dict(attention.output.state_dict())
    return other


@pytest.mark.parametrize("products", PRODUCTS)
@pytest.mark.parametrize("heads", [1, 2, 8])
@pytest.mark.parametrize("mask", [None, causal_mask(5), PADDED], ids=["no mask", "causal", "padding"])
def test_self_attention_equals_torchs_on_the_same_weights(products, heads, mask):
    attention, x = MultiHeadAttention(16, heads), torch.randn(2, 5, 16)
    use_products(attention, products)
    blocked = None if mask is None else ~mask.expand(2, 5, 5).repeat_interleave(heads, dim=0)
    expected, _ = torchs(attention)(x, x, x, attn_mask=blocked)
    torch.testing.assert_close(attention(x, x, mask), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("products", PRODUCTS)
def test_attention_to_another_sequence_equals_torchs(products):
    attention, x, source = MultiHeadAttention(12, 3), torch.randn(2, 4, 12), torch.randn(2, 5, 12)
    use_products(attention, products)
    expected, _ = torchs(attention)(x, source, source, key_padding_mask=~PADDED[:, 0])
    torch.testing.assert_close(attention(x, source, PADDED), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("products", PRODUCTS)
def test_attention_in_pieces_with_a_cache_equals_attention_at_once(products):
    attention, x, cache = (
        MultiHeadAttention(12, 3).double(),
        torch.randn(2, 5, 12).double(),
        KeyValueCache(),
    )
    use_products(attention, products)
    pieces = []
    for start, end in ((0, 2), (2, 3), (3, 5)):
        part = x[:, start:end]
        pieces.append(attention(part, part, causal_mask(end - start, end), cache))
    torch.testing.assert_close(torch.cat(pieces, 1), attention(x, x, causal_mask(5)))
    assert cache.length == 5
    assert cache.value_count == 2 * 2 * 5 * 12


def test_what_a_mask_hides_has_no_influence_and_no_gradient():
    queries, keys = torch.randn(3, 4), torch.randn(3, 4)
    values = torch.randn(3, 2, requires_grad=True)
    attend(queries, keys, values, causal_mask(3))[1].sum().backward()
    assert (values.grad[2] == 0).all()
    assert (values.grad[:2] > 0).all()


def test_attention_to_equal_keys_is_the_mean_of_the_values():
    result = attend(torch.randn(1, 3), torch.ones(4, 3), torch.arange(8.0).view(4, 2))
    torch.testing.assert_close(result, torch.tensor([[3.0, 4.0]]))


@pytest.mark.parametrize("products", PRODUCTS)
def test_a_query_without_a_key_is_an_error_and_not_nan(products):
    attention, x = MultiHeadAttention(8, 2), torch.randn(2, 3, 8)
    use_products(attention, products)
    mask = torch.ones(2, 3, 3, dtype=torch.bool)
    mask[1, 2] = False
    with pytest.raises(ValueError, match="hides every key"):
        attention(x, x, mask)


def test_a_mask_of_numbers_or_of_another_size_is_refused():
    with pytest.raises(ValueError, match="must be bool"):
        attend(torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 3), torch.zeros(2, 2))
    with pytest.raises(ValueError, match="does not fit"):
        attend(torch.ones(2, 3), torch.ones(2, 3), torch.ones(2, 3), causal_mask(3))


@pytest.mark.parametrize(("width", "heads"), [(8, 3), (8, 0), (0, 1)])
def test_heads_that_do_not_divide_the_width_are_refused(width, heads):
    with pytest.raises(ValueError, match="heads must divide"):
        MultiHeadAttention(width, heads)


def test_an_unknown_way_of_multiplying_is_refused():
    with pytest.raises(ValueError, match="per head, batched, packed, fused"):
        use_products(MultiHeadAttention(8, 2), "heads")


def test_attention_to_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing to look at"):
        MultiHeadAttention(8, 2)(torch.ones(1, 1, 8))
