import os
import platform
import random
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from labkit import settings
from labkit.environment import environment_stamp, has_fast_bf16, seed_everything
from labkit.files import write_atomically


def test_home_is_the_folder_that_holds_the_package_unless_the_variable_says_otherwise(
    monkeypatch, tmp_path
):
    monkeypatch.delenv("LABKIT_HOME", raising=False)
    assert (settings.home() / "labkit" / "settings.py").is_file()
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    assert settings.home() == tmp_path.resolve()
    assert settings.data_dir() == tmp_path.resolve() / "data"
    assert settings.checkpoint_dir() == tmp_path.resolve() / "checkpoints"


@pytest.mark.parametrize("value", [".", "work/book"])
def test_a_relative_home_is_refused_since_notebooks_run_in_another_folder(monkeypatch, value):
    monkeypatch.setenv("LABKIT_HOME", value)
    with pytest.raises(ValueError, match=f"LABKIT_HOME='{value}' is a relative path.*absolute"):
        settings.home()


def test_mode_is_auto_unless_the_variable_names_another(monkeypatch):
    monkeypatch.delenv("LABKIT_MODE", raising=False)
    assert settings.mode() == "auto"
    for name in settings.MODES:
        monkeypatch.setenv("LABKIT_MODE", name)
        assert settings.mode() == name


@pytest.mark.parametrize("value", ["", "fast", "AUTO"])
def test_an_unknown_mode_is_refused_and_the_known_ones_are_named(monkeypatch, value):
    monkeypatch.setenv("LABKIT_MODE", value)
    with pytest.raises(ValueError, match=f"LABKIT_MODE='{value}'.*auto, smoke, full"):
        settings.mode()


def test_the_requested_device_is_chosen(monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")
    assert settings.choose_device() == torch.device("cpu")


def test_the_device_is_cuda_exactly_where_torch_sees_one(monkeypatch):
    monkeypatch.delenv("LABKIT_DEVICE", raising=False)
    for present in (True, False):
        monkeypatch.setattr(torch.cuda, "is_available", lambda present=present: present)
        assert settings.choose_device().type == ("cuda" if present else "cpu")


def test_an_unknown_or_absent_device_is_refused(monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "tpu")
    with pytest.raises(ValueError, match=r"LABKIT_DEVICE='tpu'.*auto, cpu or cuda"):
        settings.choose_device()
    monkeypatch.setenv("LABKIT_DEVICE", "cuda")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="sees no CUDA device"):
        settings.choose_device()


@pytest.mark.parametrize(
    ("capability", "onednn", "avx512_bf16", "amx", "expected"),
    [
        ("AVX512", False, True, True, False),
        ("AVX512", True, False, False, False),  # AVX-512 alone: oneDNN emulates bf16
        ("AVX512", True, True, False, True),
        ("AVX512", True, False, True, True),
        ("AVX2", True, True, True, False),  # as ATEN_CPU_CAPABILITY may ask for
    ],
)
def test_bf16_is_fast_only_where_the_processor_has_its_instructions(
    monkeypatch, capability, onednn, avx512_bf16, amx, expected
):
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: onednn)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: amx)
    assert has_fast_bf16(torch.device("cpu")) is expected


@pytest.mark.parametrize("generation", [7, 8])
def test_bf16_is_fast_on_gpus_from_ampere_on(monkeypatch, generation):
    properties = SimpleNamespace(major=generation)
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda _: properties)
    monkeypatch.setattr(torch.cuda, "_check_bf16_tensor_supported", lambda _: True)  # by emulation
    assert has_fast_bf16(torch.device("cuda")) is (generation >= 8)


def test_one_seed_repeats_the_three_generators():
    def draw():
        return random.random(), float(np.random.random()), float(torch.rand(()))  # noqa: NPY002

    seed_everything(7)
    first = draw()
    seed_everything(7)
    assert draw() == first
    seed_everything(8)
    assert all(new != old for new, old in zip(draw(), first, strict=True))


@pytest.mark.parametrize("seed", [-1, 2**32])
def test_a_seed_that_numpy_cannot_take_is_refused(seed):
    with pytest.raises(ValueError, match=rf"\[0, 2\*\*32\), got {seed}"):
        seed_everything(seed)


def test_the_environment_stamp_is_filled_with_strings(monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")
    stamp = environment_stamp()
    assert stamp["torch"] == torch.__version__
    assert stamp["threads"] == str(torch.get_num_threads())
    assert stamp["bf16"] in ("yes", "no")
    assert all(isinstance(value, str) and value for value in stamp.values())


def test_a_file_is_written_with_its_folders_and_replaced_whole(tmp_path):
    path = tmp_path / "a" / "b" / "file.bin"
    write_atomically(path, b"old")
    write_atomically(path, b"new content")
    assert path.read_bytes() == b"new content"
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_no_partial_one(tmp_path, monkeypatch, error):
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")

    def write_half(self, content):
        with self.open("wb") as stream:
            stream.write(content[: len(content) // 2])
        raise error

    monkeypatch.setattr(Path, "write_bytes", write_half)
    with pytest.raises(type(error)):
        write_atomically(path, b"new content")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_is_reported_with_the_name_of_the_file(tmp_path, monkeypatch):
    """The system names no file when a write fails."""

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"No space left on device: '.*notes\.json'") as caught:
        write_atomically(tmp_path / "notes.json", b"")
    assert caught.value.errno == 28


def test_importing_the_package_and_its_foundation_loads_neither_torch_nor_matplotlib():
    code = "import sys, labkit.environment, labkit.files, labkit.settings; print(sorted({'torch', 'matplotlib'} & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=dict(os.environ)
    )
    assert done.stdout.strip() == "[]"


def test_external_weights_are_chosen_by_name_or_file(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.setenv("LABKIT_WEIGHTS", "")
    assert settings.external_weights() is None
    for name in ("chenyaofo", "imagenet"):
        monkeypatch.setenv("LABKIT_WEIGHTS", name)
        assert settings.external_weights() == (name, None)
    for name, source in (("cifar100_vgg16_bn-0.pt", "chenyaofo"), ("resnet18-0.pth", "imagenet")):
        (tmp_path / name).touch()
        monkeypatch.setenv("LABKIT_WEIGHTS", name)
        assert settings.external_weights() == (source, tmp_path / name)


def test_external_weights_that_are_neither_a_name_nor_a_file_are_refused(monkeypatch):
    monkeypatch.setenv("LABKIT_WEIGHTS", "chenyao")
    with pytest.raises(FileNotFoundError, match=r"'chenyao'.*set it to chenyaofo, to imagenet, or"):
        settings.external_weights()
