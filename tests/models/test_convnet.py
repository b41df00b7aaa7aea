import pytest
import torch
from torch import nn

from labkit.models import ConvNet
from labkit.models.convnet import CONVNET_CHANNELS, slice_convnet
from labkit.profiling import closed_form_macs
from labkit.recipes.network import build_network


def test_the_layers_have_the_shapes_that_the_docstring_names():
    sizes, model = [], ConvNet(7)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            layer.register_forward_hook(lambda _layer, _inputs, output: sizes.append(tuple(output.shape)))
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 7)
    pixels = (16, 16, 8, 4, 4)
    assert sizes == [(2, c, p, p) for c, p in zip(CONVNET_CHANNELS, pixels, strict=True)]


def test_the_half_network_has_about_a_quarter_of_the_weights_and_macs():
    whole, half = (build_network(name, 10) for name in ("convnet", "convnet-half"))
    weights = [sum(p.numel() for p in model.parameters() if p.ndim == 4) for model in (whole, half)]
    macs = [sum(closed_form_macs(model, torch.zeros(1, 3, 32, 32)).values()) for model in (whole, half)]
    assert weights == [244_656, 61_272]
    assert macs[1] / macs[0] == pytest.approx(0.2546, abs=0.001)


@pytest.mark.parametrize("channels", [(16, 32, 64, 128), (16, 32, 64, 0, 128)])
def test_channels_that_do_not_fit_are_refused(channels):
    with pytest.raises(ValueError, match="5 convolutions"):
        ConvNet(10, channels=channels)


def trained_looking(seed=0):
    """A ConvNet whose batch normalization is not the identity, in evaluation mode."""
    torch.manual_seed(seed)
    model = ConvNet(10).double().eval()
    for norm in model.modules():
        if isinstance(norm, nn.BatchNorm2d):
            nn.init.normal_(norm.weight)
            nn.init.normal_(norm.bias)
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2.0)
    return model


def test_a_sliced_network_computes_what_the_whole_one_does_with_the_other_channels_silenced():
    model, x = trained_looking(), torch.randn(2, 3, 32, 32, dtype=torch.float64)
    kept = [torch.randperm(count)[: count // 2].sort().values for count in CONVNET_CHANNELS]
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    small = slice_convnet(model, kept)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    norms = [layer for layer in model.features if isinstance(layer, nn.BatchNorm2d)]
    with torch.no_grad():
        for norm, rows in zip(norms, kept, strict=True):
            gone = torch.ones(norm.num_features, dtype=torch.bool)
            gone[rows] = False
            norm.weight[gone] = norm.bias[gone] = 0.0
        torch.testing.assert_close(small(x), model(x), rtol=1e-9, atol=1e-9)
    assert small.head.in_features == 64
    assert not small.training


@pytest.mark.parametrize("kept", [[torch.arange(2)] * 4, [torch.arange(2)] * 4 + [torch.arange(0)]])
def test_selections_that_do_not_fit_are_refused(kept):
    with pytest.raises(ValueError, match="5 convolutions"):
        slice_convnet(ConvNet(10), kept)
