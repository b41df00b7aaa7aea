import errno
import json
from pathlib import Path

import pytest
import torch

from labkit.files import digest, write_atomically
from labkit.storage.checkpoints import (
    CheckpointError,
    manifest_path,
    read_entry,
    read_manifest,
    read_weights,
    weights_path,
    write_checkpoint,
)
from labkit.storage.state_dict import pack_state
from labkit.training import Cut, EpochRecord


@pytest.fixture(autouse=True)
def _in_an_empty_home(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))


def facts(seconds=1.5):
    return {
        "recipe": {"name": "net", "config": {"epochs": 2}, "pruning": None},
        "recipe_hash": "0123456789abcdef",
        "validation_top1": 91.0,
        "test_loss": 0.3,
        "test_top1": 90.5,
        "test_top5": 99.5,
        "loss_prefix": [2.3025851, 2.25, 2.0],
        "seconds": seconds,
        "environment": {"torch": "2.15.0", "hardware": "a processor®"},
        "epochs": [EpochRecord(0, 2.0, 1.9, 40.0, 0.0, 0.75), EpochRecord(1, 1.0, 0.9, 91.0, 0.5, 0.75)],
    }


def state(seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {
        "conv.weight": torch.randn(4, 3, 3, 3, generator=generator).to(memory_format=torch.channels_last),
        "half": torch.randn(5, generator=generator).half(),
        "brain": torch.randn(5, generator=generator).bfloat16(),
        "transposed": torch.randn(3, 7, generator=generator).t(),
        "bn.num_batches_tracked": torch.tensor(70),
        "empty": torch.zeros(0, 3),
    }


def store(name="net", seed=0):
    return write_checkpoint("digits", name, state(seed), facts())


def test_of_weights_that_are_not_shipped_the_manifest_says_so_and_git_ignores_the_file():
    entry = write_checkpoint("digits", "net", state(), facts(), shipped=False)
    path = weights_path("digits", "net", shipped=False)
    assert path.parent.name == ".local"
    assert path.is_file()
    assert read_entry("digits", "net") == entry
    assert torch.equal(read_weights("digits", "net")["half"], state()["half"])
    path.unlink()
    assert read_entry("digits", "net") == entry
    with pytest.raises(CheckpointError, match=r"only the record is shipped.*`labkit train net`"):
        read_weights("digits", "net")


def test_the_manifest_names_only_what_differs_from_an_ordinary_checkpoint():
    cut = Cut(0.5, 1.0, 2.5, 60.0, 9.0)
    rows = [EpochRecord(0, 2.0, 1.9, 40.0, 0.5, 0.75, lead=True, cuts=(cut,)), *facts()["epochs"][1:]]
    write_checkpoint("digits", "net", state(), facts() | {"epochs": rows})
    stored = json.loads(manifest_path("digits").read_text())["net"]
    assert "shipped" not in stored
    assert stored["epochs"][0]["cuts"][0]["accuracy_after"] == 9.0
    assert set(stored["epochs"][0]) - set(stored["epochs"][1]) == {"lead", "cuts"}
    assert read_entry("digits", "net").epochs == rows


def test_weights_come_back_bit_for_bit_whatever_their_layout_or_type():
    store()
    loaded, expected = read_weights("digits", "net"), state()
    assert loaded.keys() == expected.keys()
    for key, value in expected.items():
        assert loaded[key].dtype == value.dtype
        assert torch.equal(loaded[key], value)


def test_a_container_holds_the_same_weights_in_fewer_bytes_where_most_are_zero():
    sparse = {**state(), "sparse": torch.randn(4_000).half() * (torch.arange(4_000) % 20 == 0)}
    plain = write_checkpoint("digits", "plain", sparse, facts())
    packed = write_checkpoint("digits", "packed", sparse, facts(), "lkc")
    assert weights_path("digits", "packed", "lkc").stat().st_size == packed.size_bytes
    assert packed.size_bytes < plain.size_bytes / 2
    loaded = read_weights("digits", "packed")
    assert loaded.keys() == sparse.keys()
    for key, value in sparse.items():
        assert loaded[key].dtype == value.dtype
        assert torch.equal(loaded[key], value)
    weights_path("digits", "packed", "lkc").write_bytes(b"damaged")
    with pytest.raises(CheckpointError, match=r"packed\.lkc is damaged"):
        read_weights("digits", "packed")


def test_a_checkpoint_of_few_values_takes_as_many_bytes_as_the_compressed_file():
    weight = torch.tensor([-1.0, 0.0, 2.0, 3.0])[torch.arange(8_000) * 7 % 11 % 4]
    entry = write_checkpoint("digits", "shared", {"w": weight}, facts(), "lkc")
    assert entry.size_bytes == len(pack_state({"w": weight}))
    assert entry.size_bytes < 8_000 * 2 / 8 + 200  # two bits per weight
    assert torch.equal(read_weights("digits", "shared")["w"], weight)


def test_the_entry_comes_back_as_it_was_written_and_tells_size_and_hash():
    entry = store()
    assert read_entry("digits", "net") == entry
    assert entry.size_bytes == weights_path("digits", "net").stat().st_size
    assert len(entry.sha256) == 64
    assert entry.epochs == facts()["epochs"]


def test_the_same_weights_give_the_same_file():
    first = store().sha256
    assert store().sha256 == first
    assert store(seed=1).sha256 != first


def test_checkpoints_are_kept_side_by_side_and_sorted_by_name():
    store("b")
    store("a", seed=1)
    assert list(read_manifest("digits")) == ["a", "b"]
    assert torch.equal(read_weights("digits", "a")["half"], state(1)["half"])
    assert torch.equal(read_weights("digits", "b")["half"], state(0)["half"])
    assert read_manifest("another") == {}


def test_a_checkpoint_that_was_never_made_is_named_with_its_command():
    with pytest.raises(CheckpointError, match=r"no checkpoint 'net' .*`labkit train net`"):
        read_weights("digits", "net")


def test_a_missing_file_is_refused_with_the_command_that_rebuilds_it():
    store()
    weights_path("digits", "net").unlink()
    with pytest.raises(
        CheckpointError, match=r"net\.safetensors is missing; rebuild it: `labkit train net`"
    ):
        read_weights("digits", "net")


@pytest.mark.parametrize("position", [0, 9, 200, -1])
def test_a_flipped_bit_is_refused_with_the_command_that_rebuilds_it(position):
    store()
    content = bytearray(weights_path("digits", "net").read_bytes())
    content[position] ^= 1
    weights_path("digits", "net").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"net\.safetensors is damaged: .*`labkit train net`"):
        read_weights("digits", "net")


@pytest.mark.parametrize("keep", [0, 5, 100, -1])
def test_a_truncated_file_is_refused_with_both_sizes(keep):
    size = store().size_bytes
    content = weights_path("digits", "net").read_bytes()[:keep]
    weights_path("digits", "net").write_bytes(content)
    with pytest.raises(CheckpointError, match=f"damaged: {len(content)} bytes .*expected {size} bytes"):
        read_weights("digits", "net")


def without_a_field(entries):
    del entries["net"]["loss_prefix"]
    return json.dumps(entries)


def with_a_foreign_field(entries):
    entries["net"]["colour"] = "blue"
    return json.dumps(entries)


def with_a_damaged_epoch(entries):
    entries["net"]["epochs"] = [{"epoch": 0}]
    return json.dumps(entries)


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: "",
        lambda entries: json.dumps(entries)[:-20],
        lambda entries: json.dumps([entries]),
        lambda _: json.dumps({"net": 5}),
        lambda _: "null",
        without_a_field,
        with_a_foreign_field,
        with_a_damaged_epoch,
    ],
)
def test_a_damaged_manifest_is_refused_and_not_overwritten(damage):
    store()
    path = manifest_path("digits")
    path.write_text(damage(json.loads(path.read_text(encoding="utf-8"))), encoding="utf-8")
    before = path.read_bytes()
    with pytest.raises(CheckpointError, match=r"manifest\.json is damaged .*git checkout"):
        read_weights("digits", "net")
    with pytest.raises(CheckpointError, match=r"manifest\.json is damaged"):
        store("other")
    assert path.read_bytes() == before
    assert not weights_path("digits", "other").exists()


def test_a_manifest_that_is_not_text_is_refused():
    store()
    manifest_path("digits").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CheckpointError, match=r"manifest\.json is damaged"):
        read_manifest("digits")


def files():
    return {path.name: path.read_bytes() for path in weights_path("digits", "net").parent.iterdir()}


def test_a_full_disk_leaves_the_old_checkpoint_and_nothing_half_written(monkeypatch):
    store()
    before = files()

    def fill_up(self, content):
        with self.open("wb") as stream:
            stream.write(content[: len(content) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", fill_up)
        with pytest.raises(OSError, match="No space left"):
            store(seed=1)
    assert files() == before


@pytest.mark.parametrize("failing", ["net.safetensors", "manifest.json"])
def test_no_interruption_leaves_weights_that_pass_for_another_runs(monkeypatch, failing):
    store()
    original = write_atomically

    def interrupt(path, content):
        if path.name == failing:
            raise KeyboardInterrupt
        original(path, content)

    monkeypatch.setattr("labkit.storage.checkpoints.write_atomically", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store(seed=1)
    monkeypatch.setattr("labkit.storage.checkpoints.write_atomically", original)
    assert set(files()) == {"net.safetensors", "manifest.json"}
    if failing == "net.safetensors":
        assert torch.equal(read_weights("digits", "net")["half"], state(0)["half"])
    else:  # the weights are new, the manifest is old: refused until they are made again
        with pytest.raises(CheckpointError, match="damaged"):
            read_weights("digits", "net")
        store(seed=1)
        assert torch.equal(read_weights("digits", "net")["half"], state(1)["half"])


@pytest.mark.parametrize("file_format", ["safetensors", "lkc"])
def test_tied_parameters_are_stored(file_format):
    weight = torch.randn(3, 2)
    write_checkpoint(
        "digits", "tied", {"in": weight, "out": weight, "row": weight[0]}, facts(), file_format
    )
    back = read_weights("digits", "tied")
    assert torch.equal(back["in"], weight)
    assert torch.equal(back["out"], weight)
    assert torch.equal(back["row"], weight[0])


@pytest.mark.parametrize("file_format", ["safetensors", "lkc"])
def test_content_that_cannot_be_read_is_a_checkpoint_error_although_its_hash_is_right(file_format):
    write_checkpoint("digits", "net", {"w": torch.ones(2)}, facts(), file_format)
    content = b"\x00" * 20
    weights_path("digits", "net", file_format).write_bytes(content)
    manifest = json.loads(manifest_path("digits").read_text())
    manifest["net"]["sha256"] = digest(content)
    manifest_path("digits").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="labkit train net"):
        read_weights("digits", "net")


def test_a_manifest_nested_too_deep_is_a_checkpoint_error():
    write_checkpoint("digits", "net", {"w": torch.ones(2)}, facts())
    manifest_path("digits").write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match="damaged"):
        read_manifest("digits")
