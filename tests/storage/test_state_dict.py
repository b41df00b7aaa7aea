import math
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
from torch import nn

from labkit import cli
from labkit.coding import Clustered, FormatError, decode, encode, ledger
from labkit.data import load_dataset
from labkit.models import ResNet20, prunable_weights
from labkit.models.vgg import vgg16_from_state
from labkit.quantization.weight_sharing import share_layers, unshare_layers
from labkit.recipes import recorded
from labkit.storage import checkpoints
from labkit.storage.state_dict import MAX_SHARED_VALUES, pack_state, unpack_state, unpack_with_metadata
from labkit.training import TrainConfig, evaluate, fit

pytestmark = pytest.mark.heavy


def same_bits(left, right):
    """Names, order, types, shapes and bits; NaN and −0.0 included."""

    def raw(tensor):
        flat = tensor.contiguous().flatten()
        return flat.view(torch.uint8) if flat.numel() else torch.zeros(0)

    return list(left) == list(right) and all(
        left[name].dtype == right[name].dtype
        and left[name].shape == right[name].shape
        and torch.equal(raw(left[name]), raw(right[name]))
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


DTYPES = [
    *(torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.bool),
    *(torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.uint8, torch.uint16, torch.uint32, torch.uint64),
    *(torch.complex64, torch.complex128),
    *(torch.float8_e4m3fn, torch.float8_e4m3fnuz, torch.float8_e5m2, torch.float8_e5m2fnuz),
]
LATER_DTYPES = ("float8_e8m0fnu", "float4_e2m1fn_x2")  # PyTorch 2.6 has neither
DTYPES += [getattr(torch, name) for name in LATER_DTYPES if hasattr(torch, name)]


@st.composite
def tensors(draw):
    """A tensor of any type and shape, with any bits: NaN payloads, −0.0, few values and many zeros."""
    dtype = draw(st.sampled_from(DTYPES))
    shape = draw(st.lists(st.integers(0, 6), max_size=3))
    item = st.binary(min_size=dtype.itemsize, max_size=dtype.itemsize)
    values = [bytes(dtype.itemsize), *draw(st.lists(item, min_size=1, max_size=4))]
    size = math.prod(shape)
    items = draw(st.lists(st.sampled_from(values), min_size=size, max_size=size))
    content = torch.frombuffer(bytearray(b"".join(items)) or bytearray(1), dtype=torch.uint8)[
        : size * dtype.itemsize
    ]
    content = content & 1 if dtype == torch.bool else content
    return content.view(dtype).reshape(shape)


@SETTINGS
@given(st.dictionaries(st.text(max_size=6), tensors(), max_size=4))
def test_an_exact_round_trip_returns_every_type_and_every_bit(state):
    assert same_bits(unpack_state(pack_state(state)), state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_every_16_bit_pattern_comes_back(dtype):
    patterns = torch.arange(-(2**15), 2**15).to(torch.int16).view(dtype)
    state = {"all": patterns, **{f"{i}": patterns[i].expand(8).clone() for i in range(0, 2**16, 997)}}
    assert same_bits(unpack_state(pack_state(state)), state)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_shared_values_of_every_float_type_become_a_codebook(dtype):
    weight = torch.tensor([0.0, -1.5, 0.25, 3e-5] * 50).to(dtype)
    stored = decode(pack_state({"w": weight}))["w"]
    assert isinstance(stored if dtype == torch.float32 else stored.stored, Clustered)
    assert same_bits(unpack_state(pack_state({"w": weight})), {"w": weight})


@SETTINGS
@given(st.lists(st.floats(-6e4, 6e4, width=16), max_size=20), st.sampled_from(DTYPES[:4]))
def test_what_compact_mode_rounds_comes_back_as_float32(values, dtype):
    tensor = torch.tensor(values).to(dtype)
    back = unpack_state(pack_state({"w": tensor}, compact=True))["w"]
    assert same_bits({"w": back + 0.0}, {"w": tensor.half().float() + 0.0})  # −0.0 + 0.0 is 0.0


# Written by the first version of the writer: a shared float32 weight, a float16 bias, a count.
VERSION_1 = (
    "894c4b43013378da8b8e562a57d251b2493351d28936d2318a05a168a524b09811482c5627af34270724980712ccb400"
    "0a42c56201eecc10bd00010e0001050002000000020000000200000002bf3f0002000000023cc0000107000100000100"
    "000100000100000100000100000100018cc5c3"
)
# And a batch normalization of scale 2 and shift 0, compact.
VERSION_1_COMPACT = (
    "894c4b43013578da8b8e564acad34bcbcf49494d892f4e4ecc4955d251b2493352d289368cd5c92bcdc989d541519291"
    "995682a124160044e81719000000000002005400024000b80f89b4"
)


def test_files_of_the_first_version_are_read_and_their_half_precision_comes_back_as_float32():
    state = unpack_state(bytes.fromhex(VERSION_1))
    expected = {
        "w": torch.tensor([[0.0, 0.5], [-0.5, 0.5]]),
        "b": torch.tensor([1.0, -2.0]),
        "n": torch.tensor(7),
    }
    assert same_bits(state, expected)
    norm = unpack_state(bytes.fromhex(VERSION_1_COMPACT))
    assert norm["bn.weight"].item() == pytest.approx(2, rel=1e-3)
    assert norm["bn.bias"].item() == pytest.approx(0, abs=1e-3)


def test_compact_files_and_exact_ones_without_half_precision_stay_in_the_first_version(trained):
    state = trained.state_dict()
    assert pack_state(state)[4] == pack_state(state, compact=True)[4] == 1
    assert pack_state({"w": torch.zeros(3).half()})[4] == 2


@pytest.mark.parametrize("name", ["bn.folded_scale", "bn.folded_shift"])
def test_names_that_stand_for_folded_batch_normalization_are_refused(name):
    with pytest.raises(ValueError, match=name):
        pack_state({name: torch.zeros(3)})


@pytest.mark.parametrize(
    "parts", [{".folded_scale": 3}, {".folded_shift": 3}, {".folded_scale": 3, ".folded_shift": 2}]
)
def test_a_folded_scale_without_its_shift_is_a_format_error(parts):
    data = encode({f"bn{part}": np.ones(size, np.float16) for part, size in parts.items()})
    with pytest.raises(FormatError, match="'bn'"):
        unpack_state(data)


def test_a_batch_normalization_without_scale_and_shift_of_its_own_is_kept():
    state = torch.nn.BatchNorm2d(3, affine=False).state_dict()
    back = unpack_state(pack_state({f"bn.{name}": value for name, value in state.items()}, compact=True))
    assert list(back) == [f"bn.{name}" for name in state]


@pytest.mark.filterwarnings("ignore:ComplexHalf support")
def test_every_bit_of_a_complex_number_of_half_precision_comes_back():
    state = {"w": torch.arange(48, dtype=torch.uint8).view(torch.complex32).reshape(3, 4)}
    back = unpack_state(pack_state(state))
    assert back["w"].dtype == torch.complex32
    assert torch.equal(torch.view_as_real(back["w"]), torch.view_as_real(state["w"]))


def test_a_type_that_the_installed_pytorch_lacks_is_named(monkeypatch):
    data = pack_state({"w": torch.ones(2).to(torch.float8_e5m2)})
    monkeypatch.delattr(torch, "float8_e5m2")
    with pytest.raises(ValueError, match="has no type float8_e5m2"):
        unpack_state(data)


@pytest.mark.filterwarnings("ignore:.*quant")
@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (lambda: torch.eye(2).to_sparse(), r"to_dense\(\)"),
        (lambda: torch.zeros(2, device="meta"), "no values yet"),
        (lambda: nn.LazyLinear(3).weight, "no values yet"),
        (lambda: torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8), "quint8"),
        (lambda: torch.zeros(2, dtype=torch.uint8).view(torch.bits8), "bits8"),
    ],
)
@pytest.mark.parametrize("compact", [False, True])
def test_a_tensor_without_a_stored_form_is_refused_by_name(tensor, message, compact):
    with pytest.raises(TypeError, match=f"'w' .*{message}"):
        pack_state({"w": tensor()}, compact=compact)


@pytest.mark.parametrize(
    "tensor",
    [
        torch.tensor([1 + 2j, 3j]).conj(),
        torch.tensor([1 + 2j, 3j]).conj().imag,
        torch.arange(6.0).expand(3, 6),
        nn.Parameter(torch.ones(2)),
    ],
    ids=["conjugated", "negated", "expanded", "parameter"],
)
def test_views_and_parameters_are_stored_by_value(tensor):
    back = unpack_state(pack_state({"w": tensor}))["w"]
    assert torch.equal(back, tensor.detach())


@pytest.mark.parametrize(
    ("checkpoint", "message"),
    [
        ({"epoch": 3, "state_dict": {"w": torch.ones(2)}}, "under 'state_dict'"),
        ({"optimizer": {"state": {}, "groups": []}, "model": {"w": torch.ones(2)}}, "under 'model'"),
        ({"w": torch.ones(2), "best_top1": 91.7}, "'best_top1' is a float"),
        ({3: torch.ones(2)}, "the entry 3"),
        (nn.Linear(2, 2), r"model\.state_dict\(\)"),
    ],
)
def test_a_checkpoint_around_a_state_dict_is_refused_with_the_remedy(checkpoint, message):
    with pytest.raises(TypeError, match=message):
        pack_state(checkpoint)


def test_compact_mode_keeps_what_it_does_not_round():
    state = {
        "complex": torch.tensor([1.0 + 1e-9j]),
        "float8": torch.tensor([0.1, 448.0]).to(torch.float8_e4m3fn),
        "count": torch.tensor([2**40]),
        "mask": torch.tensor([True, False]),
    }
    assert same_bits(unpack_state(pack_state(state, compact=True)), state)


@SETTINGS
@given(st.lists(st.floats(-65504, 65504), min_size=1, max_size=20))
def test_a_rounded_number_comes_back_within_2_to_the_minus_11_of_itself_or_within_2_to_the_minus_25(values):
    tensor = torch.tensor(values, dtype=torch.float64)
    back = unpack_state(pack_state({"w": tensor}, compact=True))["w"].double()
    assert ((back - tensor).abs() <= (2**-11 * tensor.abs()).clamp(min=2**-25)).all()


def test_metadata_comes_back_and_its_absence_too():
    state = {"w": torch.ones(3)}
    for metadata in (None, {}, {"format": "pt", "größe": "\n✓"}):
        for compact in (False, True):
            data = pack_state(state, compact=compact, metadata=metadata)
            assert unpack_with_metadata(data)[1] == metadata


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


def test_compress_inspect_and_decompress_return_the_state_dict(checkpoint, tmp_path, capsys):
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


def test_the_old_names_still_work_and_name_the_new_ones(checkpoint, tmp_path, capsys):
    packed, back = tmp_path / "net.lkc", tmp_path / "back.safetensors"
    assert cli.main(["pack-model", str(checkpoint), str(packed)]) == 0
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == len(err.splitlines()) == 1
    assert "compress" in err
    assert cli.main(["unpack-model", str(packed), str(back)]) == 0
    assert "decompress" in capsys.readouterr().err
    assert same_bits(load_file(back), load_file(checkpoint))


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
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    whole = sum(value.numel() * value.element_size() for value in state.values())  # float32
    assert whole / len(packed) >= at_least
    assert float(done.stdout) > dense.test_top1 - 1
