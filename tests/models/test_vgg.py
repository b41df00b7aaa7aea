import pytest
import torch
from tiny import same_state
from torchvision.models import vgg as torchvision_vgg

from labkit.models import VGG16, prunable_weights
from labkit.models.vgg import VGG16_CHANNELS, vgg16_from_state

pytestmark = pytest.mark.heavy

NARROW = (2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14)


def reference(classes):
    """torchvision's VGG16-BN with the small classifier of the CIFAR networks."""
    layers = torchvision_vgg.make_layers(torchvision_vgg.cfgs["D"], batch_norm=True)
    model = torchvision_vgg.VGG(layers, num_classes=classes, init_weights=False)
    model.avgpool = torch.nn.Identity()
    for index, (inputs, outputs) in {0: (512, 512), 3: (512, 512), 6: (512, classes)}.items():
        model.classifier[index] = torch.nn.Linear(inputs, outputs)
    return model


@pytest.mark.parametrize("classes", [10, 100])
def test_it_computes_what_torchvisions_network_computes_with_the_same_state_dict(classes):
    torch.manual_seed(0)
    expected = reference(classes)
    for module in expected.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
            module.running_var.uniform_(0.5, 2)
    model = vgg16_from_state(expected.state_dict())
    assert list(model.state_dict()) == list(expected.state_dict())
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(model.eval()(images), expected.eval()(images))


def test_the_convolutions_have_the_channels_of_configuration_d():
    shapes = [tuple(weight.shape) for weight in prunable_weights(VGG16(10)).values()]
    pairs = zip((3, *VGG16_CHANNELS), VGG16_CHANNELS, strict=False)
    assert shapes[:13] == [(outputs, inputs, 3, 3) for inputs, outputs in pairs]
    assert shapes[13:] == [(512, 512), (512, 512), (10, 512)]
    assert VGG16_CHANNELS == (64, 64, 128, 128, 256, 256, 256) + (512,) * 6


def test_a_state_dict_with_pruned_channels_gives_a_network_of_those_channels():
    torch.manual_seed(0)
    model = VGG16(7, channels=NARROW).eval()
    again = vgg16_from_state(model.state_dict()).eval()
    images = torch.randn(2, 3, 32, 32)
    assert again(images).shape == (2, 7)
    assert torch.equal(again(images), model(images))


def test_a_checkpoint_with_dataparallels_prefix_gives_the_network_inside():
    model = VGG16(7, channels=NARROW)
    state = {f"module.{key}": value for key, value in model.state_dict().items()}
    loaded = vgg16_from_state({"epoch": 3, "net": state})
    assert same_state(loaded, model)


def test_half_precision_weights_are_read_as_float32():
    state = {key: value.half() for key, value in VGG16(2, channels=NARROW).state_dict().items()}
    assert vgg16_from_state(state).classifier[0].weight.dtype == torch.float32


def test_it_starts_with_kaiming_weights_and_without_convolution_biases():
    torch.manual_seed(0)
    convolution = VGG16(10).features[7]
    assert float(convolution.weight.detach().std()) == pytest.approx((2 / (128 * 9)) ** 0.5, rel=0.02)
    assert not convolution.bias.any()


@pytest.mark.parametrize("channels", [(64,) * 12, (64,) * 12 + (0,)])
def test_other_numbers_of_channels_are_refused(channels):
    with pytest.raises(ValueError, match="13 convolutions of at least 1 channel"):
        VGG16(10, channels=channels)


def test_another_networks_state_dict_is_refused():
    with pytest.raises(ValueError, match=r"it has no features\.0\.weight, features\.3\.weight"):
        vgg16_from_state({"conv1.weight": torch.zeros(1)})
    state = VGG16(2, channels=NARROW).state_dict()
    del state["features.1.bias"]
    with pytest.raises(ValueError, match=r"features\.1\.bias"):
        vgg16_from_state(state)
    state = VGG16(2, channels=NARROW).state_dict()
    state["features.3.weight"] = torch.zeros(3, 5, 3, 3)
    with pytest.raises(ValueError, match=r"features\.3\.weight"):
        vgg16_from_state(state)
