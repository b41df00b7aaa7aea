"""Networks that others published: files in their format, made here with random weights; no network is used."""

import hashlib
from dataclasses import replace

import pytest
import torch
from tiny import same_state, tiny_dataset

from labkit import settings
from labkit.models import VGG16, ResNet20, prunable_weights
from labkit.recipes import RECIPES, external, find_recipe, fit_or_load, recorded, verify_prefix
from labkit.recipes.external import PUBLIC_NETWORKS, PublicNetwork
from labkit.recipes.network import starting_model
from labkit.recipes.training import is_current
from labkit.storage.checkpoints import CheckpointError
from labkit.training import evaluate


def cifar(classes=10):
    """A tiny data set under the name of CIFAR with his statistics."""
    return replace(
        tiny_dataset(train=20, held=20, classes=classes, flip=True), name=f"cifar{classes}-chenyaofo"
    )


def published_resnet20(classes=10):
    """A ResNet-20 with random weights, and its state dict under chenyaofo's names."""
    torch.manual_seed(0)
    model = ResNet20(classes, shortcut="projection")
    state = {
        key.replace(".shortcut.", ".downsample.").replace("linear.", "fc."): value
        for key, value in model.state_dict().items()
    }
    return model, state


def published_vgg16(classes=10):
    """The names and shapes of a VGG16, in a file of a few kilobytes: all values of a tensor are one number."""
    model = VGG16(classes)
    return {
        key: torch.full((), 0.01, dtype=value.dtype).expand(value.shape)
        for key, value in model.state_dict().items()
    }


@pytest.fixture
def publish(monkeypatch, tmp_path):
    """Give a function that puts a state dict where a download would be, and makes it the expected one."""
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")
    monkeypatch.setenv("LABKIT_DATASET", "cifar")
    monkeypatch.setenv("LABKIT_WEIGHTS", "chenyaofo")
    monkeypatch.delenv("LABKIT_MODE", raising=False)

    def no_network(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", no_network)

    def put(recipe, classes, state, folder=None):
        name = PUBLIC_NETWORKS[recipe, classes].url.rpartition("/")[2].partition("-")[0]
        folder = settings.weights_dir() if folder is None else folder
        folder.mkdir(parents=True, exist_ok=True)
        torch.save(state, folder / "unnamed.pt")
        digest = hashlib.sha256((folder / "unnamed.pt").read_bytes()).hexdigest()[:8]
        file = (folder / "unnamed.pt").rename(folder / f"{name}-{digest}.pt")
        network = PublicNetwork(f"https://example.org/{file.name}", 90.0, 99.0)
        monkeypatch.setattr(
            external, "PUBLIC_NETWORKS", external.PUBLIC_NETWORKS | {(recipe, classes): network}
        )
        return file

    return put


def test_the_addresses_name_network_classes_and_the_beginning_of_a_hash():
    for (recipe, classes), network in PUBLIC_NETWORKS.items():
        name, _, digest = network.url.rpartition("/")[2].removesuffix(".pt").partition("-")
        assert name == f"cifar{classes}_{ {'vgg16': 'vgg16_bn'}.get(recipe, recipe) }"
        assert len(digest) == 8
        assert int(digest, 16) >= 0
        assert recipe in RECIPES


@pytest.mark.parametrize("classes", [10, 100])
def test_a_published_resnet20_is_the_dense_network(publish, classes, capsys):
    model, state = published_resnet20(classes)
    publish("resnet20", classes, state)
    dataset = cifar(classes)
    loaded = fit_or_load("resnet20", dataset)
    assert same_state(loaded, model)
    assert len(prunable_weights(loaded)) == 22
    entry = recorded("resnet20", dataset)
    assert entry.test_top1 == evaluate(model, dataset, dataset.test).top1
    assert entry.epochs == entry.loss_prefix == []
    assert "all 50,000 training images" in entry.recipe["remark"]
    assert "all 50,000 training images" in capsys.readouterr().err


def test_a_published_vgg16_is_read_and_stored_in_half_precision(publish):
    state = published_vgg16(100)
    publish("vgg16", 100, state)
    loaded = fit_or_load("vgg16", cifar(100)).state_dict()
    assert loaded.keys() == state.keys()
    for name, tensor in state.items():
        assert torch.equal(loaded[name], tensor.half().float() if tensor.ndim > 1 else tensor), name


def test_it_is_imported_once_and_read_from_the_checkpoint_afterwards(publish):
    file = publish("resnet20", 10, published_resnet20()[1])
    first = fit_or_load("resnet20", cifar())
    file.unlink()
    assert same_state(fit_or_load("resnet20", cifar()), first)


def test_what_starts_from_it_has_its_shortcuts_and_weights(publish):
    model, state = published_resnet20()
    publish("resnet20", 10, state)
    fit_or_load("resnet20", cifar())
    start = starting_model(find_recipe("resnet20-quantized-2", 10), cifar())
    assert torch.equal(start.layer2[0].shortcut[0].weight, model.layer2[0].shortcut[0].weight)


def test_without_the_variable_nothing_of_it_is_used(publish, monkeypatch):
    publish("resnet20", 10, published_resnet20()[1])
    fit_or_load("resnet20", cifar())
    monkeypatch.delenv("LABKIT_WEIGHTS")
    assert not is_current(find_recipe("resnet20", 10), cifar())


def test_a_replay_has_nothing_to_compare_but_the_source(publish, monkeypatch):
    publish("resnet20", 10, published_resnet20()[1])
    fit_or_load("resnet20", cifar())
    recipe = find_recipe("resnet20", 10)
    assert verify_prefix(recipe, cifar()) == 0
    monkeypatch.delenv("LABKIT_WEIGHTS")
    with pytest.raises(CheckpointError, match="made by another recipe"):
        verify_prefix(recipe, cifar())


def test_a_file_may_be_anywhere(publish, tmp_path, monkeypatch):
    model, state = published_resnet20()
    file = publish("resnet20", 10, state, folder=tmp_path / "elsewhere")
    monkeypatch.setenv("LABKIT_WEIGHTS", str(file))
    assert same_state(fit_or_load("resnet20", cifar()), model)


def test_a_file_of_another_version_is_refused(publish, tmp_path, monkeypatch):
    publish("resnet20", 10, published_resnet20()[1])
    other = tmp_path / "cifar10_resnet20-01234567.pt"
    other.write_bytes(b"")
    monkeypatch.setenv("LABKIT_WEIGHTS", other.name)
    with pytest.raises(ValueError, match="is not the published file cifar10_resnet20-"):
        fit_or_load("resnet20", cifar())


def test_a_damaged_file_in_the_cache_is_refused(publish):
    file = publish("resnet20", 10, published_resnet20()[1])
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ValueError, match=r"damaged.*delete it"):
        fit_or_load("resnet20", cifar())


def test_another_networks_file_is_refused(publish):
    publish("resnet20", 10, ResNet20(10).state_dict())
    with pytest.raises(ValueError, match=r"no classifier weight|not a ResNet-20"):
        fit_or_load("resnet20", cifar())


@pytest.mark.usefixtures("publish")
def test_offline_one_line_says_what_to_do():
    with pytest.raises(RuntimeError, match=r"no route.*data/weights.*unset LABKIT_WEIGHTS") as caught:
        fit_or_load("resnet20", cifar())
    assert "\n" not in str(caught.value)
    assert "cifar10_resnet20-4118986f.pt" in str(caught.value)


@pytest.mark.usefixtures("publish")
def test_a_data_set_that_is_not_cifar_is_refused():
    with pytest.raises(ValueError, match="LABKIT_DATASET=cifar"):
        fit_or_load("resnet20", replace(cifar(), name="photodigits10"))
