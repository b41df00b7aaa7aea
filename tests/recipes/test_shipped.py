"""The checkpoints that the repository ships: complete, undamaged, and what this code makes.

`make test` reads, replays and evaluates some of each kind; `make verify` all.
"""

import json

import pytest

from labkit.data import load_dataset
from labkit.models import total_sparsity
from labkit.profiling import count_parameters
from labkit.recipes import CATALOG, find_recipe, fit_or_load, recorded, verify_prefix
from labkit.recipes.records import recorded_hits
from labkit.recipes.steps import CutChannels, PruneBySaliency, PruneBySensitivity
from labkit.storage import checkpoints
from labkit.training import evaluate

pytestmark = pytest.mark.heavy

RECORDED = [(recipe.name, count) for recipe in CATALOG for count in recipe.class_counts]
SHIPPED = [(name, count) for name, count in RECORDED if find_recipe(name, count).shipped]
# One of each kind of step, schedule and network. A full VGG16 takes 15 s to evaluate: `make verify` does that.
REPLAYED = {
    "resnet20",
    "resnet20-deviation-0.5",
    "resnet20-magnitude-75",
    "resnet20-global-80",
    "resnet20-quantized-2",
    "resnet20-global-80-quantized-2",
    "resnet20-distilled-90-seed1",
    "resnet20-shared-90-seed1",
    "vgg16-narrow",
    "vgg16-narrow-grasp-once-seed0",
    "vgg16-grasp-80-tuned",
    "vgg16-channels-14x-scratch",
    "convnet-filters-50-seed0",
    "convnet-half-seed0",
    "resnet18-lora4-10-seed0",
}
# Before their first step these scan or cut a full VGG16, or score its weights, for minutes.
ONLY_VERIFIED = {CutChannels, PruneBySensitivity, PruneBySaliency}
EVALUATED = {
    "resnet20",
    "resnet20-global-80",
    "resnet20-quantized-2",
    "resnet20-shared-90-seed0",
    "vgg16-narrow",
}


def shipped(always, *, recorded_too=False):
    """Every checkpoint, those not named in ``always`` and all of the 52- and 100-class sets marked slow.

    ``recorded_too`` includes those of which only the record is shipped.
    """
    return [
        pytest.param(
            name,
            count,
            marks=() if name in always and count == 10 else pytest.mark.slow,
            id=f"{name}-{count}",
        )
        for name, count in (RECORDED if recorded_too else SHIPPED)
    ]


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch):
    """The repository's own checkpoints and data, on the CPU."""
    for name in ("LABKIT_HOME", "LABKIT_MODE", "LABKIT_DATASET"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")


def test_one_of_each_kind_is_replayed():
    def kinds(recipes):
        steps = {type(step) for recipe in recipes for step in recipe.steps}
        return steps | {kind for recipe in recipes for kind in (recipe.network, type(recipe.config))}

    missing = kinds(CATALOG) - kinds([recipe for recipe in CATALOG if recipe.name in REPLAYED])
    assert missing == ONLY_VERIFIED


@pytest.mark.parametrize("count", [10, 52, 100])
def test_every_recipe_is_in_the_manifest_and_every_file_in_a_recipe(count):
    dataset = load_dataset(count)
    names = {recipe.name for recipe in CATALOG if count in recipe.class_counts}
    entries = checkpoints.read_manifest(dataset.name)
    assert set(entries) == names
    folder = checkpoints.manifest_path(dataset.name).parent
    files = {path.name for path in folder.iterdir() if path.suffix in (".safetensors", ".lkc")}
    assert files == {f"{name}.{entry.format}" for name, entry in entries.items() if entry.shipped}
    assert {name for name, entry in entries.items() if entry.shipped} == {
        recipe.name for recipe in CATALOG if count in recipe.class_counts and recipe.shipped
    }


@pytest.mark.parametrize(("name", "count"), RECORDED)
def test_the_manifest_records_the_recipe_as_it_is(name, count):
    recipe = find_recipe(name, count)
    assert recorded(name, load_dataset(count)).recipe == json.loads(json.dumps(recipe.as_json()))


@pytest.mark.parametrize("count", [10, 100])
def test_the_images_recorded_as_correct_give_the_recorded_accuracies(count):
    dataset = load_dataset(count)
    entries = {n: e for n, e in checkpoints.read_manifest(dataset.name).items() if e.correct is not None}
    assert {"vgg16", "vgg16-longer", "vgg16-sensitivity-90", "vgg16-channels"} <= set(entries)
    for entry in entries.values():
        assert 100 * recorded_hits(entry, dataset, "validation").mean() == pytest.approx(
            entry.validation_top1
        )
        assert 100 * recorded_hits(entry, dataset, "test").mean() == pytest.approx(entry.test_top1)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_network_of_six_values_per_layer_is_stored_in_33_kilobytes(seed):
    assert recorded(f"resnet20-shared-90-seed{seed}", load_dataset(10)).size_bytes < 33_000


def test_all_shipped_weights_together_take_at_most_130_megabytes():
    folders = [*(load_dataset(count).name for count in (10, 52, 100)), "sequences"]
    sizes = [
        entry.size_bytes
        for folder in folders
        for entry in checkpoints.read_manifest(folder).values()
        if entry.shipped
    ]
    assert sum(sizes) <= 130e6


@pytest.mark.parametrize(("name", "count"), shipped(EVALUATED | REPLAYED))
def test_every_shipped_checkpoint_is_undamaged_and_has_its_recorded_sparsity(name, count):
    dataset = load_dataset(count)
    model, entry = fit_or_load(name, dataset), recorded(name, dataset)
    # Rounded to half precision, the smallest weights of VGG16 are zero: up to 0.04 % of them.
    tolerance = 1e-9 if name.startswith("resnet20") else 1e-3
    assert total_sparsity(model) == pytest.approx(entry.epochs[-1].sparsity, abs=tolerance)
    if entry.nonzero_parameters is not None:
        assert count_parameters(model)[1] == entry.nonzero_parameters


@pytest.mark.replay
@pytest.mark.parametrize(("name", "count"), shipped(REPLAYED, recorded_too=True))
def test_replay_gives_the_recorded_losses(name, count, record_property):
    dataset = load_dataset(count)
    assert len(recorded(name, dataset).loss_prefix) == 4
    record_property("tolerance_used", round(verify_prefix(find_recipe(name, count), dataset), 6))


@pytest.mark.parametrize(("name", "count"), shipped(EVALUATED))
def test_every_shipped_checkpoint_reaches_its_recorded_accuracy(name, count):
    dataset = load_dataset(count)
    model, entry = fit_or_load(name, dataset), recorded(name, dataset)
    validation = evaluate(model, dataset, dataset.validation)
    assert validation.top1 == pytest.approx(entry.validation_top1, abs=0.5)
    if name.startswith("resnet20"):  # VGG16's takes 15 s each
        assert evaluate(model, dataset, dataset.test).top1 == pytest.approx(entry.test_top1, abs=0.5)
