import hashlib

import pytest
import torch
import torchvision
from torch import nn

from labkit.models import ResNet18
from labkit.models.resnet18 import imagenet_resnet18, replace_classifier


@pytest.fixture(scope="module")
def torchvisions():
    """torchvision's ResNet-18 with random weights and statistics."""
    torch.manual_seed(0)
    model = torchvision.models.resnet18()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
    return model.eval()


def save(folder, state, *, name="resnet18-{}.pth", digits=8):
    """Write ``state`` under a name that holds the beginning of its SHA-256."""
    path = folder / "unnamed.pth"
    torch.save(state, path)
    target = folder / name.format(hashlib.sha256(path.read_bytes()).hexdigest()[:digits])
    return path.rename(target)


def small_state(model):
    """The keys and shapes of a state dict, in a file of a few kilobytes: all values are one number."""
    return {key: torch.zeros((), dtype=t.dtype).expand(t.shape) for key, t in model.state_dict().items()}


def test_keys_and_shapes_are_torchvisions(torchvisions):
    own = {key: tensor.shape for key, tensor in ResNet18(1000, stem="imagenet").state_dict().items()}
    assert own == {key: tensor.shape for key, tensor in torchvisions.state_dict().items()}


def test_with_torchvisions_weights_it_computes_what_torchvision_computes(torchvisions):
    model = ResNet18(1000, stem="imagenet").eval()
    model.load_state_dict(torchvisions.state_dict())
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = torchvisions(nn.functional.interpolate(images, scale_factor=4, mode="bilinear"))
        torch.testing.assert_close(model(images), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("width", "count"), [(0.25, 706_884), (0.5, 2_808_404)])
def test_a_narrow_network_has_a_small_stem_and_keeps_the_names(width, count, torchvisions):
    model = ResNet18(52, width=width)
    assert sum(parameter.numel() for parameter in model.parameters()) == count
    assert model.conv1.weight.shape[2:] == (3, 3)
    assert list(model.state_dict()) == list(torchvisions.state_dict())
    assert model(torch.zeros(2, 3, 32, 32)).shape == (2, 52)


@pytest.mark.parametrize("width", [0.3, 0.0, -1.0])
def test_a_width_without_whole_channels_is_refused(width):
    with pytest.raises(ValueError, match=f"whole numbers of channels.*got {width}"):
        ResNet18(10, width=width)


def test_an_unknown_stem_is_refused():
    with pytest.raises(ValueError, match="stem must be"):
        ResNet18(10, stem="7x7")


def test_a_new_classifier_has_the_new_classes_and_the_old_type():
    model = replace_classifier(ResNet18(52, width=0.25).double(), 10)
    assert model.fc.weight.shape == (10, 128)
    assert model.fc.weight.dtype == torch.float64


# ImageNet's weights


def test_a_file_with_its_hash_in_its_name_is_read(tmp_path, torchvisions):
    file = save(tmp_path, {"state_dict": torchvisions.state_dict()})
    before = torch.get_rng_state()
    model = imagenet_resnet18(file)
    assert torch.equal(model.fc.weight, torchvisions.fc.weight)
    assert torch.equal(before, torch.get_rng_state())


def test_a_changed_file_is_refused_with_both_hashes(tmp_path, torchvisions):
    file = save(tmp_path, small_state(torchvisions))
    file.write_bytes(file.read_bytes() + b"\0")
    with pytest.raises(ValueError, match=r"damaged or another file.*its name says [0-9a-f]{8}.*download"):
        imagenet_resnet18(file)


def test_a_name_without_a_hash_is_refused(tmp_path, torchvisions):
    file = save(tmp_path, small_state(torchvisions), name="weights.pth")
    with pytest.raises(ValueError, match=r"weights\.pth does not say its hash.*resnet18-f37072fd"):
        imagenet_resnet18(file)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="resnet18-01234567"):
        imagenet_resnet18(tmp_path / "resnet18-01234567.pth")


@pytest.mark.parametrize(
    "change",
    [
        lambda state: {key: value for key, value in state.items() if key != "layer4.1.bn2.running_var"},
        lambda state: state | {"fc.weight": torch.zeros(10, 512)},
        lambda state: state | {"fc.weight": "text"},
    ],
    ids=["a missing key", "another shape", "not a tensor"],
)
def test_another_networks_state_is_refused(tmp_path, torchvisions, change):
    file = save(tmp_path, change(small_state(torchvisions)))
    with pytest.raises(ValueError, match="is not ImageNet's ResNet-18"):
        imagenet_resnet18(file)


def test_a_file_that_is_not_a_state_dict_is_refused(tmp_path):
    with pytest.raises(ValueError, match="holds a list"):
        imagenet_resnet18(save(tmp_path, [1, 2]))
    noise = tmp_path / f"resnet18-{hashlib.sha256(b'GIF89a').hexdigest()}.pth"
    noise.write_bytes(b"GIF89a")
    with pytest.raises(ValueError, match="not a state dict that torch can read"):
        imagenet_resnet18(noise)


def test_without_a_file_torch_hub_checks_the_hash(monkeypatch, torchvisions, tmp_path):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    calls = []

    def load(url, **options):
        calls.append((url, options))
        return torchvisions.state_dict()

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", load)
    assert torch.equal(imagenet_resnet18().fc.weight, torchvisions.fc.weight)
    ((url, options),) = calls
    assert url == torchvision.models.ResNet18_Weights.IMAGENET1K_V1.url
    assert options["check_hash"] is True
    assert options["model_dir"] == str(tmp_path / "data" / "weights")


@pytest.mark.parametrize("error", [OSError("no route"), RuntimeError("invalid hash value")])
def test_a_failed_download_says_what_else_can_be_done(monkeypatch, tmp_path, error):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))

    def fail(*_, **__):
        raise error

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", fail)
    with pytest.raises(RuntimeError, match=f"{error}.*LABKIT_WEIGHTS"):
        imagenet_resnet18()
