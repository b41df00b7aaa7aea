"""What a budget changes on data that are not embedded, and that it changes nothing on those that are."""

import re
from dataclasses import replace

import pytest
from tiny import tiny_dataset, tiny_network

from labkit import cli
from labkit.recipes import CATALOG, Recipe, catalog, find_recipe, fit_or_load, network, recorded, training
from labkit.recipes.estimates import duration, estimate_all
from labkit.recipes.other_data import DENSE, SHORT_EPOCHS, recipe_for, with_short_epochs
from labkit.recipes.steps import FewImages, PruneBeforeSchedule, PruneByMagnitude, PruneBySaliency
from labkit.recipes.training import make_checkpoint, recipe_hash, training_estimates
from labkit.storage import checkpoints
from labkit.training import TrainConfig
from labkit.training.config import EpochRecord
from labkit.training.schedules import MultiStep

PHOTODIGITS = 9_000  # training images of 10 classes
# Images per second on two cores with the processor to itself; an evaluated image costs a third. Of ResNet-18
# the mean over the ways of lab 11, some of which train a classifier only.
SPEED = {
    "resnet20": 850,
    "vgg16": 165,
    "vgg16-narrow": 1_000,
    "convnet": 5_000,
    "convnet-half": 7_000,
    "resnet18-quarter": 1_100,
}
# By how the names begin, what each lab trains that no lab before it has.
TRAINED_IN = {
    "02": ("resnet20", "resnet20-deviation", "resnet20-magnitude", "resnet20-oneshot", "resnet20-iterative",
           "resnet20-global-80", "resnet20-global-9"),
    "03": ("resnet20-quantized", "resnet20-global-80-quantized"),
    "05": ("resnet20-global-80-seed", "resnet20-pipeline", "resnet20-distilled", "resnet20-shared"),
    "06": ("vgg16", "vgg16-longer"),
    "07": ("vgg16-sensitivity", "vgg16-distilled", "vgg16-shared"),
    "08": ("vgg16-grasp", "vgg16-narrow"),
    "09": ("vgg16-channels",),
    "10": ("convnet",),
    "11": ("resnet18",),
}  # fmt: skip


def other(budget="full", *, name="cifar10", classes=10, **options):
    """A data set that is not embedded."""
    epoch_images = None if budget == "full" else PHOTODIGITS
    return replace(
        tiny_dataset(classes=classes),
        name=name,
        family="cifar" if name.startswith("cifar") else "folder",
        title=name,
        budget=budget,
        epoch_images=epoch_images,
        **options,
    )


# Recipes


@pytest.mark.parametrize("name", ["resnet20", "resnet20-oneshot-80", "convnet-filters-50-seed0", "vgg16"])
def test_on_an_embedded_set_the_catalogue_decides_whatever_the_budget(monkeypatch, name):
    monkeypatch.setenv("LABKIT_BUDGET", "short")
    dataset = replace(tiny_dataset(classes=10), name="photodigits10")
    assert recipe_for(name, dataset) is find_recipe(name, 10)
    assert with_short_epochs(find_recipe(name, 10), dataset) is dataset


def test_the_full_budget_has_the_settings_of_the_sources():
    course_a = recipe_for("resnet20-oneshot-80", other()).config
    assert (course_a.epochs, course_a.batch_size, course_a.peak_lr) == (20, 256, 0.002)
    assert (course_a.momentum, course_a.weight_decay) == (0.875, 1e-4)
    assert recipe_for("resnet20-global-80-quantized-2", other()).config == course_a
    course_b = recipe_for("resnet20-magnitude-75", other()).config
    assert (course_b.batch_size, course_b.peak_lr, course_b.weight_decay) == (128, 0.001, 1e-4)
    he = recipe_for("resnet20", other()).config
    assert (he.epochs, he.batch_size, he.peak_lr, he.weight_decay) == (182, 128, 0.1, 1e-4)
    assert 64_000 / (45_000 / he.batch_size) == pytest.approx(he.epochs, abs=0.1)
    grasp = recipe_for("vgg16-grasp-80", other()).config
    assert grasp == replace(find_recipe("vgg16-grasp-80", 10).config, epochs=145)
    # nothing is known of what no source trained
    assert recipe_for("resnet20-shared-90-seed0", other()) == find_recipe("resnet20-shared-90-seed0", 10)


def test_filters_are_pruned_in_the_first_half_of_a_longer_training():
    recipe = recipe_for("convnet-filters-50-seed1", other())
    (pruning,) = recipe.steps
    assert (recipe.config.epochs, pruning.every, pruning.times) == (100, 10, 5)
    assert isinstance(recipe.config.schedule, MultiStep)
    assert recipe.config.seed == 1


@pytest.mark.parametrize("budget", ["steps", "short"])
def test_other_budgets_change_no_setting_but_the_epochs_of_many_runs(budget):
    dataset, fewer = other(budget), set()
    for recipe in (find_recipe(recipe.name, 10) for recipe in CATALOG):
        changed = recipe_for(recipe.name, dataset)
        epochs = recipe.config.epochs
        if changed != recipe:
            fewer.add(recipe.name)
            assert changed.config.epochs == round(0.25 * epochs)
        assert replace(changed, config=recipe.config, steps=recipe.steps) == recipe
        assert replace(changed.config, epochs=epochs) == recipe.config
        for step, before in zip(changed.steps, recipe.steps, strict=True):
            waits = isinstance(before, PruneBeforeSchedule) and recipe.name in fewer
            assert step == (replace(before, epochs=round(0.25 * before.epochs)) if waits else before)
    assert ("vgg16-narrow" in fewer, "vgg16-grasp-80" in fewer, "vgg16" in fewer) == (
        budget == "short",
        budget == "short",
        False,
    )


def test_by_steps_a_network_takes_as_many_steps_as_on_photodigits():
    assert with_short_epochs(find_recipe("vgg16-grasp-80", 10), other("steps")).epoch_images == PHOTODIGITS


def test_a_folder_of_any_number_of_classes_has_the_recipes_for_ten():
    dataset = other(name="folder-x", classes=7)
    assert recipe_for("vgg16-shared", dataset).start == "vgg16-distilled-97"
    assert recipe_for("vgg16-shared", replace(dataset, classes=tuple("abcdefg" * 15)[:100])).start == (
        "vgg16-distilled-97"
    )


def short_seconds(recipes):
    """How long the short budget takes for the recipes, on each of their sets, with every wait for a cut."""
    seconds = 0.0
    for name, count in dict.fromkeys(
        (recipe.name, count) for recipe in recipes for count in recipe.class_counts
    ):
        if count not in (10, 100):
            continue
        dataset = other("short", name=f"cifar{count}", classes=count)
        recipe = recipe_for(name, dataset)
        few = [step.per_class * 10 for step in recipe.steps if isinstance(step, FewImages)]
        images = few[0] if few else with_short_epochs(recipe, dataset).epoch_images
        teacher = 1.35 if "distilled" in name or "shared" in name else 1.0
        waits = sum(
            step.epochs
            for step in recipe.steps
            if isinstance(step, PruneBeforeSchedule) and any(step.accuracies)
        )
        seconds += (recipe.config.epochs + waits) * (teacher * images + 1_000 / 3) / SPEED[recipe.network]
    return seconds


@pytest.mark.parametrize("lab", TRAINED_IN)
def test_the_short_budget_fits_in_twenty_minutes_per_lab(lab):
    def belongs(recipe):
        fits = [prefix for prefixes in TRAINED_IN.values() for prefix in prefixes
                if recipe.name == prefix or (recipe.name.startswith(prefix) and prefix not in DENSE)]  # fmt: skip
        return max(fits, key=len) in TRAINED_IN[lab]

    assert 10 < short_seconds(filter(belongs, CATALOG)) < 20 * 60


def test_short_epochs_are_whole_batches_and_long_enough_for_stages_of_pruning():
    for recipe in CATALOG:
        steps, rest = divmod(SHORT_EPOCHS[recipe.network], recipe.config.batch_size)
        assert rest == 0
        assert steps >= 20 or not any(isinstance(step, PruneBySaliency) for step in recipe.steps)


# Checkpoints


@pytest.fixture
def workshop(monkeypatch, tmp_path):
    """An empty home with two tiny recipes."""
    config = TrainConfig(epochs=2, batch_size=32, peak_lr=0.1)
    dense = Recipe("dense", "", "resnet20", None, (), config, (10,))
    half = Recipe("half", "", "resnet20", "dense", (PruneByMagnitude("layer", (0.5,)),), config, (10,))
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")
    monkeypatch.delenv("LABKIT_MODE", raising=False)
    monkeypatch.setattr(catalog, "CATALOG", (dense, half))
    for module in (network, "labkit.recipes.estimates"):
        path = module if isinstance(module, str) else module.__name__
        monkeypatch.setattr(f"{path}.build_network", lambda _, class_count: tiny_network(class_count))
    monkeypatch.setattr("labkit.recipes.other_data.SHORT_EPOCHS", {"resnet20": 64})
    return tmp_path / "checkpoints"


@pytest.mark.usefixtures("workshop")
def test_every_budget_has_its_own_hash():
    hashes = {recipe_hash(recipe_for("half", other(budget)), other(budget)) for budget in
              ("full", "steps", "short")}  # fmt: skip
    assert len(hashes) == 3


def test_a_checkpoint_of_one_budget_is_never_taken_for_another(workshop, capsys):
    full, short = other(), other("short")
    fit_or_load("half", full)
    fit_or_load("half", short)
    assert sorted(path.name for path in workshop.iterdir()) == ["cifar10", "cifar10-short"]
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("training ")]
    assert [line.partition(",")[0] for line in lines] == [
        "training dense on cifar10: 2 epochs of 256 images",
        "training half on cifar10: 2 epochs of 256 images",
        "training dense on cifar10: 2 epochs of 64 images",
        "training half on cifar10: 2 epochs of 64 images",
    ]
    assert all(re.search(r", about \d+ (second|minute)s? on this machine$", line) for line in lines)
    assert recorded("half", full).recipe_hash != recorded("half", short).recipe_hash
    fit_or_load("half", full)
    assert "training" not in capsys.readouterr().err


def test_on_other_data_a_run_that_is_not_recorded_is_trained(workshop):
    assert isinstance(recorded("dense", other()).epochs[0], EpochRecord)
    with pytest.raises(checkpoints.CheckpointError, match="no checkpoint 'dense' for tiny"):
        recorded("dense", tiny_dataset(classes=10))
    assert [path.name for path in workshop.iterdir()] == ["cifar10"]


# Estimates


def test_the_estimates_name_what_is_needed_first_and_nothing_is_trained(workshop, monkeypatch, capsys):
    monkeypatch.setattr(training, "load_dataset", lambda _: other("short"))
    names = [each.recipe.name for each in training_estimates(["half"], (10,))]
    assert names == ["dense", "half"]
    assert not workshop.exists()
    assert cli.main(["train", "half", "--classes", "10", "--estimate"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split()[:4] for line in printed[:3]] == [
        ["checkpoint", "data", "epochs", "images"],
        ["dense", "cifar10-short", "2", "64"],
        ["half", "cifar10-short", "2", "64"],
    ]
    assert printed[3].startswith("2 trainings: about ")
    make_checkpoint(find_recipe("half", 10), other("short"))
    assert cli.main(["train", "half", "--classes", "10", "--estimate"]) == 0
    assert capsys.readouterr().out == "nothing to train: all of it is up to date\n"


@pytest.mark.usefixtures("workshop")
def test_an_estimate_is_proportional_to_the_epochs_and_alike_trainings_are_timed_once(monkeypatch):
    timed = []

    def ten_seconds_per_epoch(*arguments, **_):
        timed.append(arguments[2])
        return 10.0 * arguments[2].epochs

    monkeypatch.setattr("labkit.recipes.estimates.estimate_seconds", ten_seconds_per_epoch)
    short, longer = find_recipe("dense", 10), replace(find_recipe("dense", 10), config=TrainConfig(7, 32))
    estimates = estimate_all([(short, other()), (longer, other())])
    assert [each.seconds for each in estimates] == [20.0, 70.0]
    assert len(timed) == 1


def test_a_duration_is_rounded_to_what_an_estimate_can_promise():
    assert duration(59.6) == "60 seconds"
    assert duration(100 * 60) == "1 hour 40 minutes"
