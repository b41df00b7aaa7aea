"""Visible checks of lab 11: freezing, counting, LoRA layers and the merged weight.

Expected values come from the definition W + (α / rank) · B·A, summed in float64, or from properties that
every correct answer has.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from labkit.checks.expect import Case, Expect

__all__ = ["CASES"]

Answer = Callable[..., Any]

FROZEN = (
    "requires_grad_(False) for every parameter outside model.fc, and requires_grad_(True) for those of it"
)
STATISTICS = (
    "in training mode batch normalization moves its statistics, whatever requires_grad says: "
    "put these modules in evaluation mode"
)
OTHERS = "change the mode of batch normalization only: dropout still has to act"
SHAPES = "A is (rank, in) and B is (out, rank), both nn.Parameter; the kernel of a convolution belongs to A"
START = "B starts at zero, so the layer computes at first what the given one computes"
RANDOM = "A starts at random: if A and B were both zero, neither would ever get a gradient"
SCALE = "the update is scaled by alpha / rank"
BASE = "the given layer stays as it is and none of its parameters is trained, the bias included"


class Network(nn.Module):
    """A small network with batch normalization at two depths, dropout, and a classifier ``fc``."""

    def __init__(self, width: int, class_count: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, width, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.dropout = nn.Dropout(0.1)
        block = nn.Sequential(nn.Conv2d(width, width, 3), nn.BatchNorm2d(width), self.dropout)
        self.layer1 = nn.Sequential(block, nn.ReLU(), nn.Flatten())
        self.bn2 = nn.BatchNorm1d(width * 4)
        self.fc = nn.Linear(width * 4, class_count)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``(n, 3, 6, 6)`` to ``(n, class_count)``."""
        return self.fc(self.bn2(self.layer1(self.bn1(self.conv1(x)))))


def freeze_backbone(expect: Expect, answer: Answer) -> None:
    """11.1: training changes the classifier and nothing else, statistics included."""
    for width, class_count, seed in ((4, 3, 0), (6, 5, 1)):
        torch.manual_seed(seed)
        model = Network(width, class_count).train()
        model.fc.bias.requires_grad_(False)  # as somebody may have left it
        case = expect.given(f"a network with {width} channels and {class_count} classes, in training mode")
        got = case.call(answer, model, hint="end with `return model`")
        case.true(got is model, expected="the model itself", got=type(got), hint="return the given model")
        trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad]
        case.true(
            trained == ["fc.weight", "fc.bias"], expected="fc.weight, fc.bias", got=trained, hint=FROZEN
        )
        modes = (model.dropout.training, model.fc.training)
        case.true(
            all(modes), expected="dropout and fc in training mode", got="evaluation mode", hint=OTHERS
        )
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        _train(model, class_count)
        changed = [name for name, t in model.state_dict().items() if not torch.equal(t, before[name])]
        drifted = [name for name in changed if not name.startswith("fc.")]
        case.given(f"{case}, after 3 training steps").true(
            not drifted, expected="nothing changed outside fc", got=drifted, hint=STATISTICS
        )
        case.true(changed == ["fc.weight", "fc.bias"], expected="fc changed", got=changed, hint=FROZEN)


def count_trainable(expect: Expect, answer: Answer) -> None:
    """11.2: the numbers that training changes, each once."""
    torch.manual_seed(0)
    tied, frozen = nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5)), Network(4, 3)
    tied[1].weight = tied[0].weight
    for name, parameter in frozen.named_parameters():
        parameter.requires_grad_(name in ("conv1.weight", "fc.bias"))
    hint = "sum the number of entries of the parameters that require a gradient"
    for text, model, expected, why in (
        ("nn.Linear(7, 2)", nn.Linear(7, 2), 16, hint),
        ("nn.Conv2d(3, 4, 5)", nn.Conv2d(3, 4, 5), 304, hint),
        ("nn.BatchNorm2d(6)", nn.BatchNorm2d(6), 12, "running statistics are buffers, not parameters"),
        ("a network that trains conv1.weight and fc.bias", frozen, 111, "frozen parameters do not count"),
        ("nn.ReLU()", nn.ReLU(), 0, "nothing to train is 0"),
        ("two layers with one weight", tied, 35, "a shared parameter counts once"),
    ):
        case = expect.given(text)
        got = case.call(answer, model, hint=hint)
        case.equal(got, expected, hint=why)


def lora_linear(expect: Expect, answer: Answer) -> None:
    """11.3: a frozen linear layer with a trained update."""
    for inputs, outputs, bias, rank, alpha in (
        (6, 4, True, 2, 2.0),
        (6, 4, True, 2, 6.0),
        (5, 3, False, 1, 2.0),
        (4, 7, True, 3, 2.0),
    ):
        torch.manual_seed(rank)
        base = nn.Linear(inputs, outputs, bias=bias)
        case = expect.given(f"nn.Linear({inputs}, {outputs}, bias={bias}), rank = {rank}, alpha = {alpha}")
        x = torch.randn(3, inputs)
        _layer(case, answer, base, x, (rank, alpha), (rank, inputs))


def lora_conv2d(expect: Expect, answer: Answer) -> None:
    """11.6: a frozen convolution with a thin convolution and a 1×1 convolution beside it."""
    for channels, size, options, rank, alpha in (
        ((3, 5), 3, {"padding": 1}, 2, 2.0),
        ((3, 5), 3, {"padding": 1}, 2, 5.0),
        ((4, 2), 3, {"stride": 2, "padding": 1, "bias": False}, 1, 2.0),
        ((2, 3), 3, {"dilation": 2, "padding": 2}, 3, 1.0),
        ((2, 3), (1, 3), {"padding": (0, 1)}, 2, 1.0),
    ):
        torch.manual_seed(rank)
        base = nn.Conv2d(*channels, size, **options)
        shown = "".join(f", {name}={value}" for name, value in options.items())
        text = f"nn.Conv2d({channels[0]}, {channels[1]}, {size}{shown}), rank = {rank}, alpha = {alpha}"
        x = torch.randn(2, channels[0], 8, 7)
        shape = (rank, channels[0], *base.kernel_size)
        _layer(expect.given(text), answer, base, x, (rank, alpha), shape)


def merged_weight(expect: Expect, answer: Answer) -> None:
    """11.5: one weight that does what weight and update do together."""
    generator = torch.Generator().manual_seed(0)
    hint = "the update is scale · B·A, a product of two matrices, brought into the shape of weight"
    for shape, rank, scale in (
        ((4, 6), 2, 1.0),
        ((4, 6), 2, 0.25),
        ((5, 3, 3, 3), 2, 1.5),
        ((2, 4, 1, 3), 1, 2.0),
    ):
        weight = torch.randn(shape, generator=generator)
        A = torch.randn(rank, *shape[1:], generator=generator)
        B = torch.randn(shape[0], rank, generator=generator)
        kept = [tensor.clone() for tensor in (weight, A, B)]
        case = expect.given(
            f"weight {tuple(shape)}, A {tuple(A.shape)}, B {tuple(B.shape)}, scale = {scale}"
        )
        got = case.call(answer, weight, A, B, scale, hint=hint)
        product = torch.einsum("or,ri->oi", B.double(), A.double().reshape(rank, -1))
        case.close(got, weight.double() + scale * product.reshape(shape), hint=hint, atol=1e-5)
        same = all(torch.equal(left, right) for left, right in zip((weight, A, B), kept, strict=True))
        case.true(same, expected="weight, A and B unchanged", got="a change", hint="add to a copy")


def _layer(
    case: Case,
    answer: Answer,
    base: nn.Linear | nn.Conv2d,
    x: Tensor,
    settings: tuple[int, float],
    shape: tuple[int, ...],
) -> None:
    """Check the parameters of an adapted layer, and its outputs for B = 0 and another B."""
    rank, alpha = settings
    plain, kept = base(x).detach(), {name: tensor.clone() for name, tensor in base.state_dict().items()}
    layer, other = (case.call(answer, base, rank, alpha, hint=SHAPES) for _ in range(2))
    A, B = getattr(layer, "A", None), getattr(layer, "B", None)
    shapes = [tuple(t.shape) if isinstance(t, nn.Parameter) else type(t).__name__ for t in (A, B)]
    expected = [shape, (base.weight.shape[0], rank)]
    case.true(shapes == expected, expected=f"parameters A, B of shapes {expected}", got=shapes, hint=SHAPES)
    assert isinstance(A, nn.Parameter)
    assert isinstance(B, nn.Parameter)
    trained = sorted(name for name, parameter in layer.named_parameters() if parameter.requires_grad)
    case.true(trained == ["A", "B"], expected="only A and B trained", got=trained, hint=BASE)
    case.true(not B.detach().any(), expected="B = 0 at the start", got=B, hint=START)
    differs = bool(A.detach().any()) and not torch.equal(A, other.A)
    case.true(differs, expected="another random A in each layer", got=A, hint=RANDOM)
    case.close(case.call(layer, x, hint=START), plain, hint=START, atol=1e-6)
    with torch.no_grad():
        B.copy_(torch.linspace(-1, 1, B.numel()).view_as(B))
        A.copy_(torch.linspace(0.5, -1, A.numel()).view_as(A))
    weight = torch.einsum("or,ri->oi", B.detach().double(), A.detach().double().flatten(1))
    update = (alpha / rank) * _apply(base, x.double(), weight.reshape(base.weight.shape))
    why = f"{SCALE}; a convolution's A has the stride, padding and dilation of the given one"
    why = SCALE if isinstance(base, nn.Linear) else why
    case.close(case.call(layer, x, hint=why), plain.double() + update, hint=why, atol=1e-4)
    same = all(torch.equal(tensor, kept[name]) for name, tensor in base.state_dict().items())
    case.true(same, expected="the given layer's values unchanged", got="a change", hint=BASE)


def _apply(base: nn.Linear | nn.Conv2d, x: Tensor, weight: Tensor) -> Tensor:
    """Apply a weight as ``base`` would, without its bias."""
    if isinstance(base, nn.Linear):
        return x @ weight.T
    return torch.nn.functional.conv2d(
        x,
        weight,
        None,
        base.stride,
        base.padding,
        base.dilation,
    )


def _train(model: nn.Module, class_count: int) -> None:
    """Take three steps of SGD with weight decay on random images."""
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, weight_decay=0.1)
    for _ in range(3):
        loss = nn.functional.cross_entropy(model(torch.randn(8, 3, 6, 6)), torch.arange(8) % class_count)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


CASES = {
    "11.1": freeze_backbone,
    "11.2": count_trainable,
    "11.3": lora_linear,
    "11.5": merged_weight,
    "11.6": lora_conv2d,
}
