import hashlib

import pytest
import torch

from labkit.models import ResNet18
from labkit.recipes import backbone, load_backbone


@pytest.mark.parametrize("chosen", ["", "chenyaofo"])
def test_the_shipped_backbone_has_seen_letters(monkeypatch, chosen):
    monkeypatch.setenv("LABKIT_WEIGHTS", chosen)
    model, asked = ResNet18(52, width=0.25), []
    monkeypatch.setattr(backbone, "load_dataset", lambda count: count)
    monkeypatch.setattr(backbone, "fit_or_load", lambda *given: asked.append(given) or model)
    assert load_backbone("resnet18-quarter") == (model, "ResNet-18, quarter width, photoletters")
    assert asked == [("resnet18-quarter", 52)]


def test_a_relative_file_is_looked_for_in_the_workbooks_folder(monkeypatch, tmp_path):
    state = ResNet18(1000, stem="imagenet").state_dict()
    small = {key: torch.zeros((), dtype=tensor.dtype).expand(tensor.shape) for key, tensor in state.items()}
    torch.save(small, tmp_path / "unnamed.pth")
    digest = hashlib.sha256((tmp_path / "unnamed.pth").read_bytes()).hexdigest()
    (tmp_path / "unnamed.pth").rename(tmp_path / f"resnet18-{digest[:8]}.pth")
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")
    monkeypatch.setenv("LABKIT_WEIGHTS", f"resnet18-{digest[:8]}.pth")
    model, name = load_backbone("resnet18-quarter")
    assert name == "ResNet-18, ImageNet"
    assert not model.training
    assert model.fc.out_features == 1000


def test_imagenet_is_asked_for_by_name(monkeypatch):
    monkeypatch.setenv("LABKIT_WEIGHTS", "imagenet")
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")
    monkeypatch.setattr(backbone, "imagenet_resnet18", lambda file: ResNet18(7) if file is None else None)
    assert load_backbone("resnet18-quarter").model.fc.out_features == 7


def test_a_missing_file_is_named(monkeypatch):
    monkeypatch.setenv("LABKIT_WEIGHTS", "/nowhere/resnet18-01234567.pth")
    with pytest.raises(FileNotFoundError, match="resnet18-01234567"):
        load_backbone("resnet18-quarter")
