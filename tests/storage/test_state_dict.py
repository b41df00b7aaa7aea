import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from strategies import SETTINGS
from tiny import seeded_network, tiny_dataset

from labkit import cli
from labkit.coding import Clustered, FormatError, decode, ledger
from labkit.data import load_dataset
from labkit.models import ResNet20, prunable_weights
from labkit.models.vgg import vgg16_from_state
from labkit.quantization.weight_sharing import share_layers, unshare_layers
from labkit.recipes import recorded
from labkit.storage import checkpoints
from labkit.storage.state_dict import MAX_SHARED_VALUES, pack_state, unpack_state
from labkit.training import TrainConfig, evaluate, fit

pytestmark = pytest.mark.heavy


def same_bits(left, right):
    """Names, order, types, shapes and bits; NaN and −0.0 included."""
    return list(left) == list(right) and all(
        (a := left[name].numpy()).dtype == (b := right[name].numpy()).dtype
        and a.shape == b.shape
        and a.tobytes() == b.tobytes()
        for name in left
    )


@pytest.fixture(scope="module")
def trained():
    """A tiny network with batch statistics of its own, half pruned, in evaluation mode."""
    model = seeded_network()
    fit(model, tiny_dataset(), TrainConfig(epochs=1, batch_size=32, peak_lr=0.1), progress=False)
    for weight in prunable_weights(model).values():
        weight.data[::2] = 0.0
    return model.eval()


FLOATS = st.sampled_from([0.0, -0.0, 1.0, -1.0, 0.5, 1e-40, 3e38, float("inf"), float("nan")])


@SETTINGS
@given(st.dictionaries(st.text(max_size=6), st.lists(FLOATS, max_size=40), max_size=4))
def test_an_exact_round_trip_returns_every_bit(values):
    state = {f"t.{name}": torch.tensor(items, dtype=torch.float32) for name, items in values.items()}
    assert same_bits(unpack_state(pack_state(state)), state)


def test_a_dense_a_pruned_and_a_shared_state_dict_come_back_bit_for_bit(trained):
    shared = unshare_layers(share_layers(trained, 3))
    for model in (ResNet20(), trained, shared):
        assert same_bits(unpack_state(pack_state(model.state_dict())), model.state_dict())


@pytest.mark.parametrize("distinct", [1, 2, MAX_SHARED_VALUES, MAX_SHARED_VALUES + 1])
def test_few_distinct_values_become_a_codebook_and_many_an_array(distinct):
    weight = torch.arange(4 * distinct).remainder(distinct).float() + 1
    stored = decode(pack_state({"w": weight}))["w"]
    assert isinstance(stored, Clustered) == (distinct <= MAX_SHARED_VALUES)
    assert torch.equal(unpack_state(pack_state({"w": weight}))["w"], weight)


def test_half_precision_values_that_repeat_often_are_each_stored_once():
    """Sorting float16 with many equal values goes wrong in NumPy 2.4 on some processors."""
    values = np.array([-0.1716, -0.1211, -0.0864, -0.06, 0.0579, 0.084, 0.1186, 0.1746], np.float32)
    weight = torch.from_numpy(np.random.default_rng(0).choice(values, 2817))
    stored = decode(pack_state({"w": weight}, compact=True))["w"]
    assert stored.codebook.tolist() == values.astype(np.float16).tolist()


def test_a_compact_file_computes_what_the_network_does_up_to_half_precision(trained):
    state = unpack_state(pack_state(trained.state_dict(), compact=True))
    other = seeded_network(1).eval()
    other.load_state_dict(state)
    images = torch.randn(16, 3, 32, 32)
    assert torch.allclose(other(images), trained(images), rtol=5e-3, atol=5e-3)
    assert set(state) == set(trained.state_dict())
    for name, weight in prunable_weights(trained).items():
        assert torch.equal(state[name] == 0, weight == 0)
        assert torch.equal(state[name], weight.half().float())


def test_packing_what_was_unpacked_gives_the_same_weights_again(trained):
    once = unpack_state(pack_state(trained.state_dict(), compact=True))
    twice = unpack_state(pack_state(once, compact=True))
    for name in once:
        assert torch.allclose(twice[name], once[name], rtol=2e-3, atol=1e-6)


def test_folding_saves_what_the_mean_the_variance_and_half_the_precision_took(trained):
    exact, compact = (ledger(pack_state(trained.state_dict(), compact=c)) for c in (False, True))
    size = {row.part: row.size_bytes for row in exact}["dense tensors"]
    assert {row.part: row.size_bytes for row in compact}["dense tensors"] < size / 2


def test_a_value_beyond_half_precision_is_refused_by_name():
    with pytest.raises(ValueError, match=r"'w' holds 1e\+05; float16 ends at 65504"):
        pack_state({"w": torch.tensor([1e5])}, compact=True)


def test_a_damaged_file_is_a_format_error(trained):
    data = bytearray(pack_state(trained.state_dict()))
    data[len(data) // 2] ^= 1
    with pytest.raises(FormatError, match="checksum"):
        unpack_state(bytes(data))


# The command line


@pytest.fixture
def checkpoint(trained, tmp_path):
    path = tmp_path / "net.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in trained.state_dict().items()}, path)
    return path


def test_pack_inspect_and_unpack_return_the_state_dict(checkpoint, tmp_path, capsys):
    packed, back = tmp_path / "net.lkc", tmp_path / "back.safetensors"
    assert cli.main(["compress", str(checkpoint), str(packed)]) == 0
    assert f"{packed.stat().st_size} bytes" in capsys.readouterr().out
    assert cli.main(["inspect", str(packed)]) == 0
    listing = capsys.readouterr().out
    rows = {line.split("  ")[0]: line.split() for line in listing.splitlines() if line}
    assert int(rows["file"][1]) == packed.stat().st_size
    assert rows["0.weight"][1:3] == ["float32", "6×3×3×3"]
    assert cli.main(["decompress", str(packed), str(back)]) == 0
    original = load_file(checkpoint)
    assert same_bits({key: load_file(back)[key] for key in original}, original)


def test_a_compact_file_is_read_and_evaluated_in_a_fresh_process(checkpoint, trained, tmp_path):
    packed = tmp_path / "net.lkc"
    cli.main(["compress", str(checkpoint), str(packed), "--compact"])
    program = (
        "import sys, pathlib; sys.path.insert(0, 'tests/helpers')\n"
        "from tiny import seeded_network, tiny_dataset\n"
        "from labkit.storage.state_dict import unpack_state\n"
        "from labkit.training import evaluate\n"
        "model = seeded_network(5)\n"
        "model.load_state_dict(unpack_state(pathlib.Path(sys.argv[1]).read_bytes()))\n"
        "print(evaluate(model, tiny_dataset(), tiny_dataset().test).top1)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(packed)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    data = tiny_dataset()
    assert float(done.stdout) == pytest.approx(evaluate(trained, data, data.test).top1, abs=2)


@pytest.mark.parametrize(
    ("verb", "message"),
    [("compress", "is not a safetensors file"), ("decompress", "not a labkit container")],
)
def test_a_foreign_file_is_refused_and_nothing_is_written(tmp_path, capsys, verb, message):
    source, target = tmp_path / "in", tmp_path / "out"
    source.write_bytes(b"something else")
    assert cli.main([verb, str(source), str(target)]) == 2
    errors = capsys.readouterr().err
    assert str(source) in errors
    assert message in errors
    assert not target.exists()
    assert cli.main(["inspect", str(source)]) == 2


READ_BACK = """
import sys
from pathlib import Path
from labkit.data import load_dataset
from labkit.models.vgg import vgg16_from_state
from labkit.storage.state_dict import unpack_state
from labkit.training import evaluate
dataset = load_dataset(int(sys.argv[2]))
model = vgg16_from_state(unpack_state(Path(sys.argv[1]).read_bytes())).eval()
print(evaluate(model, dataset, dataset.test).top1)
"""


@pytest.mark.slow
@pytest.mark.parametrize(("count", "at_least"), [(10, 100), (100, 30)])
def test_vgg16_in_one_file_loses_less_than_a_point_read_back_by_another_process(
    count, at_least, tmp_path, monkeypatch
):
    for name in ("LABKIT_HOME", "LABKIT_MODE", "LABKIT_DATASET"):
        monkeypatch.delenv(name, raising=False)
    dataset = load_dataset(count)
    dense = recorded("vgg16", dataset)
    state = vgg16_from_state(checkpoints.read_weights(dataset.name, "vgg16-shared")).state_dict()
    packed = pack_state(state, compact=True)
    (tmp_path / "net.lkc").write_bytes(packed)
    command = [sys.executable, "-c", READ_BACK, str(tmp_path / "net.lkc"), str(count)]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    whole = sum(value.numel() * value.element_size() for value in state.values())  # float32
    assert whole / len(packed) >= at_least
    assert float(told.stdout) > dense.test_top1 - 1
