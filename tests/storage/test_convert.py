import os

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from labkit import cli
from labkit.storage.state_dict import pack_state, unpack_state

pytestmark = pytest.mark.heavy

BITS = torch.arange(48, dtype=torch.uint8)
EVERY_TYPE = [
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64),
    *(torch.int64, torch.int32, torch.int16, torch.int8),
    *(torch.uint64, torch.uint32, torch.uint16, torch.uint8),
    *(torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2, torch.float8_e5m2fnuz),
]
LATER_TYPES = ("float8_e8m0fnu", "float4_e2m1fn_x2")  # PyTorch 2.6 has neither
EVERY_TYPE += [getattr(torch, name) for name in LATER_TYPES if hasattr(torch, name)]

on_posix = pytest.mark.skipif(os.name != "posix", reason="there are no pipes and devices among files")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "net.safetensors"
    save_file({"w": torch.randn(40), "b": torch.randn(3)}, path, metadata={"format": "pt"})
    return path


def read(path):
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.offset_keys()}, file.metadata()


def refusal(capsys, *arguments):
    assert cli.main([str(argument) for argument in arguments]) == 2
    return capsys.readouterr().err


def test_a_file_of_every_type_comes_back_byte_for_byte_with_its_metadata(tmp_path):
    source, packed, back = (tmp_path / name for name in ("in.safetensors", "net.lkc", "out.safetensors"))
    state = {f"module.{dtype}": BITS.clone().view(dtype).reshape(2, -1) for dtype in EVERY_TYPE}
    state |= {f"scalar.{dtype}": BITS.view(dtype)[:1].reshape(()).clone() for dtype in EVERY_TYPE[:8]}
    state |= {
        "bool": BITS > 9,
        "empty": torch.zeros(0, 3),
        "no.float8": torch.zeros(4, 0).to(EVERY_TYPE[13]),
    }
    save_file(state, source, metadata={"format": "pt", "größe": "20 \n✓"})
    assert cli.main(["compress", str(source), str(packed)]) == 0
    assert cli.main(["decompress", str(packed), str(back)]) == 0
    (before, metadata), (after, metadata_after) = read(source), read(back)
    assert metadata == metadata_after
    assert list(before) == list(after)
    for name, tensor in before.items():
        assert (after[name].dtype, after[name].shape) == (tensor.dtype, tensor.shape)
        assert torch.equal(*(side[name].reshape(-1).view(torch.uint8) for side in (before, after)))


def test_inspect_shows_types_and_metadata(tmp_path, capsys):
    source, packed = tmp_path / "in.safetensors", tmp_path / "net.lkc"
    save_file(
        {"c": torch.tensor([[0j, 1j]]), "q": torch.ones(3).to(torch.float8_e5m2)}, source, {"format": "pt"}
    )
    cli.main(["compress", str(source), str(packed)])
    capsys.readouterr()
    assert cli.main(["inspect", str(packed)]) == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["c", "complex64", "1×2", "50.00", "–"] in rows
    assert ["q", "float8_e5m2", "3", "0.00", "–"] in rows
    assert ["format", "pt"] in rows


@pytest.mark.parametrize("verb", ["compress", "decompress"])
@pytest.mark.parametrize("kind", ["same", "other spelling", "symbolic link", "link to source", "hard link"])
def test_the_source_is_never_replaced(verb, kind, source, tmp_path, capsys):
    if verb == "decompress":
        source.write_bytes(pack_state({"w": torch.randn(40)}))
    target, given = tmp_path / "other.lkc", source
    if kind == "same":
        target = source
    elif kind == "other spelling":
        (tmp_path / "folder").mkdir()
        target = tmp_path / "folder" / ".." / source.name
    elif kind == "symbolic link":
        target.symlink_to(source)
    elif kind == "link to source":
        given, target = tmp_path / "link", source
        given.symlink_to(source)
    else:
        os.link(source, target)
    content = source.read_bytes()
    assert "is the file that is read" in refusal(capsys, verb, given, target)
    assert source.read_bytes() == target.read_bytes() == content
    assert not list(tmp_path.glob("**/*.part"))


@on_posix
@pytest.mark.parametrize("verb", ["compress", "decompress"])
def test_what_is_not_a_file_is_not_replaced(verb, source, tmp_path, capsys):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for target in (pipe, tmp_path):
        assert "is not a file" in refusal(capsys, verb, source, target)
    assert pipe.is_fifo()


def test_a_value_that_compact_mode_cannot_hold_is_refused_and_nothing_is_written(tmp_path, capsys):
    source, target = tmp_path / "net.safetensors", tmp_path / "net.lkc"
    save_file({"w": torch.tensor([1e5])}, source)
    target.write_bytes(b"what was there")
    message = refusal(capsys, "compress", source, target, "--compact")
    assert str(source) in message
    assert "'w'" in message
    assert target.read_bytes() == b"what was there"


def test_a_type_that_safetensors_does_not_hold_is_refused_and_nothing_is_written(tmp_path, capsys):
    source, target = tmp_path / "net.lkc", tmp_path / "net.safetensors"
    source.write_bytes(pack_state({"w": torch.ones(2, dtype=torch.complex128)}))
    message = refusal(capsys, "decompress", source, target)
    assert "'w' is torch.complex128" in message
    assert "unpack_state" in message
    assert not target.exists()


@pytest.mark.parametrize("zipped", [True, False])
def test_a_checkpoint_of_torch_save_is_refused_with_the_line_that_converts_it(zipped, tmp_path, capsys):
    source = tmp_path / "net.pth"
    torch.save({"state_dict": {"w": torch.ones(2)}}, source, _use_new_zipfile_serialization=zipped)
    message = refusal(capsys, "compress", source, tmp_path / "net.lkc")
    assert "torch.load(path, weights_only=True)" in message
    assert "state_dict" in message


def test_the_epsilon_of_batch_normalization_is_an_option_of_compact_mode(tmp_path, capsys):
    source, target = tmp_path / "net.safetensors", tmp_path / "net.lkc"
    network = nn.Sequential(nn.BatchNorm2d(2, eps=1e-3))
    network[0].running_var.fill_(1e-3)
    save_file(network.state_dict(), source)
    assert cli.main(["compress", str(source), str(target), "--compact", "--bn-epsilon", "1e-3"]) == 0
    back = nn.Sequential(nn.BatchNorm2d(2, eps=1e-3)).eval()
    back.load_state_dict(unpack_state(target.read_bytes()))
    images = torch.ones(1, 2, 3, 3)
    assert torch.allclose(back(images), network.eval()(images), rtol=1e-3)
    assert "--compact" in refusal(capsys, "compress", source, target, "--bn-epsilon", "1e-3")


@on_posix
def test_a_file_that_is_not_a_container_is_not_read_to_its_end(capsys):
    assert "not a labkit container" in refusal(capsys, "inspect", "/dev/zero")
    assert "not a labkit container" in refusal(capsys, "decompress", "/dev/zero", "/dev/zero.safetensors")
