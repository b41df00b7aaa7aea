import pytest
import torch
from torch.nn import functional

from labkit.models import ResNet20, prunable_weights
from labkit.models.resnet import from_akamaster, from_chenyaofo

pytestmark = pytest.mark.heavy

BN = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
BLOCKS = [f"layer{stage}.{block}" for stage in (1, 2, 3) for block in (0, 1, 2)]


def batch_norm(prefix):
    return [f"{prefix}.{name}" for name in BN]


def block_keys(block):
    return [
        f"{block}.conv1.weight", *batch_norm(f"{block}.bn1"),
        f"{block}.conv2.weight", *batch_norm(f"{block}.bn2"),
    ]  # fmt: skip


AKAMASTER_KEYS = [
    "conv1.weight",
    *batch_norm("bn1"),
    *[key for block in BLOCKS for key in block_keys(block)],
    "linear.weight",
    "linear.bias",
]
DOWNSAMPLE_KEYS = [
    key
    for block in ("layer2.0", "layer3.0")
    for key in (f"{block}.downsample.0.weight", *batch_norm(f"{block}.downsample.1"))
]
CHENYAOFO_KEYS = [key.replace("linear.", "fc.") for key in AKAMASTER_KEYS] + DOWNSAMPLE_KEYS


def shape_of(key, classes):
    """The shape that the paper's architecture gives to the entry ``key`` of a state dict."""
    if key.endswith("num_batches_tracked"):
        return ()
    if key.startswith(("linear", "fc")):
        return (classes, 64) if key.endswith("weight") else (classes,)
    stage = int(key[5]) if key.startswith("layer") else 1
    width = 8 * 2**stage
    if "conv" not in key and "downsample.0" not in key:
        return (width,)
    if key == "conv1.weight":
        return (16, 3, 3, 3)
    enters = ".0." in key and stage > 1 and "conv2" not in key and not key.endswith("bn1.weight")
    side = 1 if "downsample" in key else 3
    return (width, width // 2 if enters else width, side, side)


def random_state(keys, classes=10, seed=0):
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for key in keys:
        shape = shape_of(key, classes)
        if key.endswith("num_batches_tracked"):
            state[key] = torch.tensor(7)
        elif key.endswith("running_var"):
            state[key] = torch.rand(shape, generator=generator) + 0.5
        else:
            spread = (2 / (9 * shape[0])) ** 0.5 if len(shape) == 4 else 0.3
            state[key] = spread * torch.randn(shape, generator=generator)
    return state


def reference_logits(state, x):
    """Compute the network from its state dict alone, with either kind of shortcut."""

    def norm(value, prefix):
        mean, var = state[f"{prefix}.running_mean"], state[f"{prefix}.running_var"]
        return functional.batch_norm(value, mean, var, state[f"{prefix}.weight"], state[f"{prefix}.bias"])

    x = functional.relu(norm(functional.conv2d(x, state["conv1.weight"], padding=1), "bn1"))
    for block in BLOCKS:
        stride = 2 if block in ("layer2.0", "layer3.0") else 1
        y = functional.conv2d(x, state[f"{block}.conv1.weight"], stride=stride, padding=1)
        y = functional.relu(norm(y, f"{block}.bn1"))
        y = norm(functional.conv2d(y, state[f"{block}.conv2.weight"], padding=1), f"{block}.bn2")
        if f"{block}.downsample.0.weight" in state:
            x = functional.conv2d(x, state[f"{block}.downsample.0.weight"], stride=2)
            x = norm(x, f"{block}.downsample.1")
        elif stride == 2:
            zeros = torch.zeros(len(x), x.shape[1] // 2, x.shape[2] // 2, x.shape[3] // 2)
            x = torch.cat([zeros, x[:, :, ::2, ::2], zeros], dim=1)
        x = functional.relu(x + y)
    pooled = functional.avg_pool2d(x, 8).flatten(1)
    head = "fc" if "fc.weight" in state else "linear"
    return pooled @ state[f"{head}.weight"].T + state[f"{head}.bias"]


def test_the_network_has_269722_parameters_of_which_268336_may_be_pruned():
    model = ResNet20()
    assert sum(parameter.numel() for parameter in model.parameters()) == 269_722
    assert sum(weight.numel() for weight in prunable_weights(model).values()) == 268_336


def test_the_prunable_weights_are_the_19_convolutions_and_the_classifier_in_order():
    names = list(prunable_weights(ResNet20()))
    convolutions = [f"{block}.{conv}.weight" for block in BLOCKS for conv in ("conv1", "conv2")]
    assert names == ["conv1.weight", *convolutions, "linear.weight"]


def test_a_layer_used_as_the_whole_model_is_named_by_its_weight():
    assert list(prunable_weights(torch.nn.Linear(2, 3))) == ["weight"]


def test_the_state_dict_has_akamasters_keys_in_their_order():
    assert list(ResNet20().state_dict()) == AKAMASTER_KEYS


@pytest.mark.parametrize("classes", [10, 100])
def test_logits_have_one_column_per_class(classes):
    assert ResNet20(classes).eval()(torch.zeros(2, 3, 32, 32)).shape == (2, classes)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_akamasters_weights_load_and_compute_what_they_should(prefix):
    state = random_state(AKAMASTER_KEYS)
    model = from_akamaster({prefix + key: value for key, value in state.items()}).eval()
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(model(x), reference_logits(state, x), rtol=1e-4, atol=1e-4)
    assert all(torch.equal(model.state_dict()[key], value) for key, value in state.items())


@pytest.mark.parametrize("classes", [10, 100])
def test_chenyaofos_weights_load_and_compute_what_they_should(classes):
    state = random_state(CHENYAOFO_KEYS, classes)
    model = from_chenyaofo(state).eval()
    x = torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        torch.testing.assert_close(model(x), reference_logits(state, x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("load", "keys"), [(from_akamaster, AKAMASTER_KEYS), (from_chenyaofo, CHENYAOFO_KEYS)]
)
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod."])
@pytest.mark.parametrize("wrapper", [None, "state_dict", "model_state_dict", "model"])
def test_a_wrapped_checkpoint_with_prefixes_is_read(load, keys, prefix, wrapper):
    state = random_state(keys)
    prefixed = {prefix + key: value for key, value in state.items()}
    loaded = load({wrapper: prefixed, "best_prec1": 91.7, "optimizer": {}} if wrapper else prefixed)
    assert all(map(torch.equal, loaded.state_dict().values(), load(state).state_dict().values()))
    assert torch.equal(loaded.conv1.weight, state["conv1.weight"])


def test_loading_copies_the_tensors_of_the_state_dict():
    state = random_state(AKAMASTER_KEYS)
    before = state["conv1.weight"].clone()
    with torch.no_grad():
        from_akamaster(state).conv1.weight.zero_()
    assert torch.equal(state["conv1.weight"], before)


@pytest.mark.parametrize("load", [from_akamaster, from_chenyaofo])
@pytest.mark.parametrize("missing", ["conv1.weight", "layer2.1.bn2.running_var"])
def test_a_state_dict_without_one_of_the_keys_is_refused_by_name(load, missing):
    keys = AKAMASTER_KEYS if load is from_akamaster else CHENYAOFO_KEYS
    state = random_state(keys)
    del state[missing]
    with pytest.raises(ValueError, match=f"(?s)not a ResNet-20 state dict.*{missing}"):
        load(state)


def test_a_state_dict_of_another_network_is_refused():
    with pytest.raises(ValueError, match="no classifier weight"):
        from_akamaster(torch.nn.Conv2d(3, 3, 1).state_dict())
    with pytest.raises(ValueError, match=r"(?s)pad shortcuts.*downsample"):
        from_akamaster(
            {key.replace("fc.", "linear."): v for key, v in random_state(CHENYAOFO_KEYS).items()}
        )
    with pytest.raises(ValueError, match=r"(?s)projection shortcuts.*shortcut\.0\.weight"):
        from_chenyaofo(random_state(AKAMASTER_KEYS))


def test_a_wrong_shape_is_refused_by_name():
    state = random_state(AKAMASTER_KEYS)
    state["layer3.0.conv1.weight"] = torch.zeros(64, 64, 3, 3)
    with pytest.raises(ValueError, match=r"(?s)not a ResNet-20.*layer3\.0\.conv1\.weight"):
        from_akamaster(state)
