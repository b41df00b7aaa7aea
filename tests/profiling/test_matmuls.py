import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

from labkit.models import LanguageModel, Transformer, TransformerShape, greedy_decode, use_products
from labkit.profiling import MatmulCounter, count_matmuls

SIZES = [(6, 8), (1, 1), (2, 3)]
SOURCE, TARGET = torch.tensor([[5, 6, 7, 8, 9]] * 2), torch.tensor([[1, 5, 6]] * 2)


def models(layers, heads):
    shape = TransformerShape(14, layers=layers, heads=heads, width=4 * heads, hidden=10)
    return Transformer(shape), LanguageModel(shape)


@pytest.mark.parametrize(("layers", "heads"), SIZES)
def test_a_pass_multiplies_as_often_as_the_derivation_says(layers, heads):
    model, language_model = models(layers, heads)
    for products, expected, fused in (
        ("per head", layers * (15 * heads + 7) + 1, 0),
        ("batched", 22 * layers + 1, 0),
        ("packed", 17 * layers + 1, 0),
        ("fused", 11 * layers + 1, 3 * layers),
    ):
        use_products(model, products)
        counter = count_matmuls(model, SOURCE, TARGET)
        assert (counter.products, counter.fused) == (expected, fused)
    use_products(language_model, "per head")
    assert count_matmuls(language_model, TARGET).products == layers * (5 * heads + 3) + 1


@pytest.mark.parametrize(("layers", "heads"), SIZES)
def test_decoding_multiplies_as_often_as_the_derivation_says(layers, heads):
    model, _ = models(layers, heads)
    use_products(model, "per head")
    for cached in (False, True):
        steps = 4
        counter = count_matmuls(lambda: greedy_decode(model, SOURCE, start=1, steps=steps, cached=cached))  # noqa: B023
        per_step = layers * ((8 if cached else 10) * heads + 4) + 1
        once = layers * (5 * heads + 3) + (2 * heads * layers if cached else 0)
        assert counter.products == once + steps * per_step


@pytest.mark.parametrize("products", ["per head", "batched", "packed", "fused"])
def test_macs_are_those_of_the_formula_and_of_torchs_counter(products):
    layers, heads, d, hidden = 2, 3, 12, 10
    model, _ = models(layers, heads)
    use_products(model, products)
    n, m, batch = 5, 3, 2
    encoder = 4 * n * d**2 + 2 * n**2 * d + 2 * n * d * hidden
    decoder = 4 * m * d**2 + 2 * m**2 * d + 2 * m * d**2 + 2 * n * d**2 + 2 * m * n * d + 2 * m * d * hidden
    counter = count_matmuls(model, SOURCE, TARGET)
    assert counter.macs == batch * (layers * (encoder + decoder) + m * d * 14)
    with FlopCounterMode(display=False) as flops:
        model(SOURCE, TARGET)
    assert counter.macs == flops.get_total_flops() // 2


def test_the_backward_pass_of_a_linear_layer_multiplies_twice_as_much():
    layer, x = nn.Linear(3, 4), torch.ones(5, 3, requires_grad=True)
    with MatmulCounter() as counter:
        layer(x).sum().backward()
    assert counter.macs == 3 * 5 * 3 * 4
    assert counter.products == 3


def test_inference_mode_hides_no_product():
    model, _ = models(1, 2)
    with torch.inference_mode(), MatmulCounter() as counter:
        model(SOURCE, TARGET)
    assert counter.products == 23


@pytest.mark.parametrize(
    ("code", "products", "macs"),
    [
        (lambda: torch.ones(2, 3) @ torch.ones(3), 1, 6),
        (lambda: torch.ones(3) @ torch.ones(3), 1, 3),
        (lambda: torch.ones(7, 2, 3) @ torch.ones(7, 3, 5), 1, 210),
        (lambda: torch.einsum("nd,md->nm", torch.ones(2, 3), torch.ones(4, 3)), 1, 24),
        (lambda: torch.ones(2, 3) * torch.ones(2, 3), 0, 0),
        (lambda: functional.linear(torch.ones(2, 6, 3), torch.ones(4, 3)), 1, 144),
    ],
)
def test_products_of_other_shapes_are_counted(code, products, macs):
    counter = count_matmuls(code)
    assert (counter.products, counter.macs) == (products, macs)
