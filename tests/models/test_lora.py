import pytest
import torch
from torch import nn
from torch.nn import functional

from labkit.models import ResNet18
from labkit.models.freezing import count_trainable, train_only
from labkit.models.lora import adapter_state, add_lora, load_adapter, lora_size, merge_lora

CONVOLUTIONS = r"layer\d\.\d\.conv\d"


def images(count=4):
    return torch.randn(count, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def backbone():
    torch.manual_seed(0)
    return ResNet18(10, width=0.25).eval()


def with_random_update(model):
    """Give every B random values, as training does."""
    state = adapter_state(model)
    load_adapter(model, {name: torch.randn_like(tensor) * 0.1 for name, tensor in state.items()})
    return model


def test_outputs_are_the_same_bits_at_the_start():
    model = backbone()
    expected = model(images())
    assert torch.equal(add_lora(model, rf"fc|{CONVOLUTIONS}", rank=4, alpha=8.0)(images()), expected)


def test_merged_equals_unmerged_and_is_an_ordinary_network():
    model = with_random_update(add_lora(backbone().double(), rf"fc|{CONVOLUTIONS}", rank=3, alpha=6.0))
    expected, before = model(images().double()), backbone().double()(images().double())
    assert (expected - before).abs().max() > 0.01
    merged = merge_lora(model)
    torch.testing.assert_close(merged(images().double()), expected, rtol=0, atol=1e-6)
    assert set(merged.state_dict()) == set(backbone().state_dict())
    assert type(merged.fc) is nn.Linear
    assert merged.fc.weight.requires_grad


def test_merged_equals_unmerged_in_float32_too():
    model = with_random_update(add_lora(backbone(), r"fc|layer4\.1\.conv2", rank=3))
    expected = model(images())
    torch.testing.assert_close(merge_lora(model)(images()), expected, rtol=1e-6, atol=1e-6)


def test_a_linear_update_is_two_thin_products():
    layer = nn.Sequential(nn.Linear(7, 5))
    x = torch.randn(3, 7)
    plain = layer(x)
    add_lora(layer, "0", rank=2, alpha=6.0)
    with_random_update(layer)
    state = adapter_state(layer)
    expected = plain + 3.0 * (x @ state["0.A"].T) @ state["0.B"].T
    torch.testing.assert_close(layer(x), expected)


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "padding": 2}])
def test_a_convolutions_update_is_a_thin_convolution_and_a_1x1_one(options):
    model = nn.Sequential(nn.Conv2d(3, 6, 3, **options))
    x = torch.randn(2, 3, 9, 9)
    plain = model(x)
    with_random_update(add_lora(model, "0", rank=2, alpha=1.0))
    state = adapter_state(model)
    thin = functional.conv2d(x, state["0.A"], **options)
    expected = plain + 0.5 * functional.conv2d(thin, state["0.B"][:, :, None, None])
    torch.testing.assert_close(model(x), expected, rtol=1e-5, atol=1e-5)


def test_only_the_updates_and_what_was_free_train():
    model = add_lora(train_only(backbone(), r"fc\..*"), CONVOLUTIONS, rank=2)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {name for name in trained if not name.startswith("fc.")} == {
        f"layer{stage}.{block}.conv{number}.parametrizations.weight.0.{part}"
        for stage in (1, 2, 3, 4)
        for block in (0, 1)
        for number in (1, 2)
        for part in "AB"
    }
    assert {"fc.weight", "fc.bias"} < trained


@pytest.mark.parametrize(("rank", "saves"), [(1, True), (8, True), (9, True), (10, False), (16, False)])
def test_on_a_head_of_512_to_10_the_update_saves_up_to_rank_9(rank, saves):
    head = add_lora(train_only(nn.Sequential(nn.Linear(512, 10)), "0.bias"), "0", rank=rank)
    assert count_trainable(head) - 10 == lora_size(512, 10, rank) == 522 * rank
    assert (count_trainable(head) - 10 < 5120) == saves


def test_the_size_of_a_convolutions_update():
    model = add_lora(train_only(nn.Sequential(nn.Conv2d(16, 32, 3)), "0.bias"), "0", rank=4)
    assert count_trainable(model) - 32 == lora_size(16, 32, 4, kernel=3) == 4 * (16 * 9 + 32)


def test_an_adapter_moves_to_another_copy_of_the_backbone():
    first, second = (add_lora(backbone(), CONVOLUTIONS, rank=2) for _ in range(2))
    with_random_update(first)
    load_adapter(second, adapter_state(first))
    assert torch.equal(first(images()), second(images()))


@pytest.mark.parametrize("other", [("fc", 2), (CONVOLUTIONS, 3)])
def test_an_adapter_for_other_layers_or_another_rank_is_refused(other):
    layers, rank = other
    model = add_lora(backbone(), CONVOLUTIONS, rank=2)
    with pytest.raises(ValueError, match="other layers or another rank"):
        load_adapter(model, adapter_state(add_lora(backbone(), layers, rank=rank)))


@pytest.mark.parametrize(
    ("model", "layers", "rank", "message"),
    [
        (nn.Sequential(nn.Linear(2, 2)), "0", 0, "rank must be at least 1, got 0"),
        (nn.Sequential(nn.Linear(2, 2)), "fc", 1, "no layer's name matches 'fc'; there are 0"),
        (nn.Sequential(nn.Conv2d(4, 4, 1, groups=2)), "0", 1, "one group"),
        (nn.Sequential(nn.Conv1d(4, 4, 1)), "0", 1, "Conv2d"),
        (add_lora(nn.Sequential(nn.Linear(2, 2)), "0", rank=1), "0", 1, "computes its weight"),
    ],
)
def test_what_cannot_be_adapted_is_refused(model, layers, rank, message):
    with pytest.raises(ValueError, match=message):
        add_lora(model, layers, rank=rank)
