"""Stored sensitivity scans: made once, read again, made again when the checkpoint has changed."""

import json
from types import SimpleNamespace

import pytest
import torch
from tiny import tiny_dataset
from torch import nn

from labkit.data import load_dataset
from labkit.models import VGG16, prunable_weights
from labkit.recipes import make_scan, recorded, scan_or_load, scans
from labkit.training import evaluate


@pytest.fixture
def network(tmp_path, monkeypatch):
    """A small network under the name ``net``, with a checkpoint of the hash ``aaa``."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, stride=4), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(256, 4))
    entry = SimpleNamespace(sha256="aaa")
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.setattr(scans, "fit_or_load", lambda *_: model.eval())
    monkeypatch.setattr(scans, "recorded", lambda *_: entry)
    return SimpleNamespace(model=model, entry=entry, folder=tmp_path / "checkpoints")


def test_a_scan_is_stored_and_read_again_without_a_measurement(network, monkeypatch):
    dataset = tiny_dataset(held=12)
    made = make_scan("net", dataset, image_count=10, reestimate_images=6)
    whole = evaluate(network.model, dataset, scans.Split(*(part[:10] for part in dataset.validation)))
    assert {row[0] for row in made.stale.losses} == {whole.loss}
    assert made.reestimated.losses != made.stale.losses
    assert (made.image_count, made.reestimate_images, made.sha256) == (10, 6, "aaa")
    monkeypatch.setattr(scans, "sensitivity_scan", None)
    assert scan_or_load("net", dataset) == made


def test_a_scan_of_other_weights_is_made_again(network):
    dataset = tiny_dataset(held=12)
    old = make_scan("net", dataset, reestimate_images=6)
    network.entry.sha256 = "bbb"
    with torch.no_grad():
        network.model[0].weight.mul_(-1)
    new = scan_or_load("net", dataset)
    assert new.sha256 == "bbb"
    assert new.stale != old.stale


def test_a_damaged_file_is_named(network):
    dataset = tiny_dataset(held=12)
    make_scan("net", dataset, reestimate_images=6)
    (path,) = network.folder.glob("*/net.scan.json")
    fields = json.loads(path.read_bytes())
    del fields["stale"]["losses"]
    path.write_text(json.dumps(fields))
    with pytest.raises(ValueError, match=r"net\.scan\.json is damaged"):
        scan_or_load("net", dataset)


@pytest.mark.heavy
@pytest.mark.parametrize("count", [10, 100])
def test_the_shipped_scan_is_of_the_shipped_network(count, monkeypatch):
    monkeypatch.delenv("LABKIT_HOME", raising=False)
    dataset = load_dataset(count)
    monkeypatch.setattr(scans, "make_scan", None)  # run `labkit scan vgg16` after `labkit train vgg16`
    scan = scan_or_load("vgg16", dataset)
    assert scan.sha256 == recorded("vgg16", dataset).sha256
    assert (scan.image_count, scan.reestimate_images) == (1_000, 256)
    for way in (scan.stale, scan.reestimated):
        assert way.names == tuple(prunable_weights(VGG16(count)))
        assert way.sparsities == scans.SCANNED_LEVELS
