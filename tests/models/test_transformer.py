import pytest
import torch
from torch import nn

from labkit.models.attention import causal_mask, use_products
from labkit.models.transformer import (
    DecoderLayer,
    EncoderLayer,
    LanguageModel,
    Transformer,
    TransformerShape,
    greedy_decode,
    positional_encoding,
)

pytestmark = pytest.mark.usefixtures("no_fused_path_of_torch")

PRODUCTS = ("per head", "batched", "packed", "fused")
SHAPE = TransformerShape(14, layers=2, heads=2, width=16, hidden=24)
SOURCE = torch.tensor([[5, 6, 7, 8], [3, 4, 0, 0]])


def copy_attention(ours, theirs):
    layers = ours.query, ours.key, ours.value
    theirs.in_proj_weight.data = torch.cat([layer.weight for layer in layers]).detach()
    theirs.in_proj_bias.data = torch.cat([layer.bias for layer in layers]).detach()
    theirs.out_proj.load_state_dict(ours.output.state_dict())


def copy_rest(ours, theirs, norms):
    theirs.linear1.load_state_dict(ours.feed_forward.inner.state_dict())
    theirs.linear2.load_state_dict(ours.feed_forward.outer.state_dict())
    for name in norms:
        for norm in (getattr(ours, name), getattr(theirs, name)):
            norm.load_state_dict(
                {"weight": torch.linspace(0.5, 1.5, 16), "bias": torch.linspace(-1, 1, 16)}
            )


@pytest.mark.parametrize("products", PRODUCTS)
@pytest.mark.parametrize("masked", [False, True])
def test_an_encoder_layer_equals_torchs_on_the_same_weights(products, masked):
    ours, x = EncoderLayer(16, 2, 24), torch.randn(2, 4, 16)
    theirs = nn.TransformerEncoderLayer(16, 2, 24, dropout=0.0, batch_first=True)
    copy_attention(ours.attention, theirs.self_attn)
    copy_rest(ours, theirs, ("norm1", "norm2"))
    use_products(ours, products)
    mask = (SOURCE != 0)[:, None, :] if masked else None
    expected = theirs(x, src_key_padding_mask=SOURCE == 0 if masked else None)
    torch.testing.assert_close(ours(x, mask), expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("products", PRODUCTS)
@pytest.mark.parametrize("masked", [False, True])
def test_a_decoder_layer_equals_torchs_on_the_same_weights(products, masked):
    ours, x, memory = DecoderLayer(16, 2, 24), torch.randn(2, 3, 16), torch.randn(2, 4, 16)
    theirs = nn.TransformerDecoderLayer(16, 2, 24, dropout=0.0, batch_first=True)
    copy_attention(ours.attention, theirs.self_attn)
    copy_attention(ours.cross_attention, theirs.multihead_attn)
    copy_rest(ours, theirs, ("norm1", "norm2", "norm3"))
    use_products(ours, products)
    if masked:
        got = ours(x, memory, causal_mask(3), (SOURCE != 0)[:, None, :])
        expected = theirs(x, memory, tgt_mask=~causal_mask(3), memory_key_padding_mask=SOURCE == 0)
    else:
        got, expected = ours(x, memory), theirs(x, memory)
    torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-6)


def test_the_encoding_turns_by_a_fixed_angle_when_the_position_moves():
    table = positional_encoding(20, 6)
    for pair, frequency in enumerate((1.0, 10_000 ** (-1 / 3), 10_000 ** (-2 / 3))):
        angle = torch.tensor(4 * frequency, dtype=torch.float64)
        turn = torch.stack([angle.cos(), -angle.sin(), angle.sin(), angle.cos()]).view(2, 2)
        columns = table[:, 2 * pair : 2 * pair + 2]
        torch.testing.assert_close(columns[4:], columns[:-4] @ turn)
    torch.testing.assert_close(positional_encoding(5, 6, start=7), table[7:12])


@pytest.mark.parametrize(
    "arguments", [{"width": 3, "length": 2}, {"width": 0, "length": 1}, {"width": 2, "length": -1}]
)
def test_an_encoding_that_cannot_be_is_refused(arguments):
    with pytest.raises(ValueError, match="width must be even"):
        positional_encoding(**arguments)


@pytest.mark.parametrize("products", PRODUCTS)
def test_a_later_token_does_not_change_an_earlier_prediction(products):
    model = Transformer(SHAPE).double()
    use_products(model, products)
    first, other = torch.tensor([[1, 5, 6, 7]] * 2), torch.tensor([[1, 5, 9, 9]] * 2)
    before, after = model(SOURCE, first), model(SOURCE, other)
    torch.testing.assert_close(before[:, :2], after[:, :2], atol=1e-12, rtol=0)
    assert (before[:, 2] - after[:, 2]).abs().max() > 1e-3


def test_padding_does_not_change_what_is_predicted():
    model, target = Transformer(SHAPE).double(), torch.tensor([[1, 5, 6]])
    padded = torch.tensor([[3, 4, 0, 0, 0]])
    torch.testing.assert_close(model(padded, target), model(padded[:, :2], target))


def test_the_four_ways_of_multiplying_give_the_same_logits():
    model, target, results = Transformer(SHAPE).double(), torch.tensor([[1, 5, 6], [1, 9, 2]]), []
    for products in PRODUCTS:
        use_products(model, products)
        results.append(model(SOURCE, target))
    for result in results[1:]:
        torch.testing.assert_close(result, results[0])


def test_decoding_with_a_cache_writes_the_same_tokens():
    for seed in range(3):
        torch.manual_seed(seed)
        model = Transformer(SHAPE).double()
        cached = greedy_decode(model, SOURCE, start=1, steps=12)
        assert cached.shape == (2, 12)
        assert torch.equal(cached, greedy_decode(model, SOURCE, start=1, steps=12, cached=False))
        assert torch.equal(cached[:, :1], model(SOURCE, torch.ones(2, 1, dtype=torch.int64)).argmax(-1))


def test_a_language_model_in_pieces_with_a_cache_equals_the_whole_and_does_not_look_ahead():
    model, tokens = LanguageModel(SHAPE).double(), torch.randint(14, (2, 7))
    caches = model.new_caches()
    parts = [model(tokens[:, :3], caches), model(tokens[:, 3:4], caches), model(tokens[:, 4:], caches)]
    whole = model(tokens)
    torch.testing.assert_close(torch.cat(parts, 1), whole)
    torch.testing.assert_close(model(tokens[:, :4]), whole[:, :4])


@pytest.mark.parametrize(
    ("tokens", "word"),
    [
        (torch.ones(2, 3), "int64"),
        (torch.ones(3, dtype=torch.int64), "shape"),
        (torch.ones(0, 3, dtype=torch.int64), "at least 1"),
        (torch.tensor([[14]]), "0, 14"),
        (torch.tensor([[-1]]), "0, 14"),
    ],
)
def test_tokens_that_are_none_of_the_vocabulary_are_refused(tokens, word):
    with pytest.raises(ValueError, match=word):
        LanguageModel(SHAPE)(tokens)


def test_a_source_of_padding_alone_is_refused():
    with pytest.raises(ValueError, match="hides every key"):
        Transformer(SHAPE)(torch.tensor([[0, 0]]), torch.tensor([[1]]))


@pytest.mark.parametrize("change", [{"layers": 0}, {"heads": 3}, {"width": 0}, {"heads": 1, "width": 5}])
def test_a_shape_that_cannot_be_built_is_refused(change):
    with pytest.raises(ValueError, match=r"must be"):
        TransformerShape(14, **change)


def test_no_steps_of_decoding_are_refused():
    with pytest.raises(ValueError, match="steps must be"):
        greedy_decode(Transformer(SHAPE), SOURCE, start=1, steps=0)
