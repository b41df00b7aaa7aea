from collections import OrderedDict
from dataclasses import replace
from functools import partial

import pytest
import torch
from tiny import same_state, tiny_dataset, tiny_network

from labkit.files import write_atomically
from labkit.models import prunable_weights
from labkit.pruning.callbacks import PruningCallback, StagedPruning, linear_ramp
from labkit.pruning.magnitude import total_sparsity
from labkit.quantization.layers import quantize_layers, quantized_layers
from labkit.recipes import (
    CATALOG,
    RECIPES,
    Recipe,
    Step,
    catalog,
    find_recipe,
    fit_or_load,
    network,
    recorded,
    recorded_differences,
    steps,
    train,
    training,
)
from labkit.recipes.other_data import training_data
from labkit.recipes.records import recorded_hits
from labkit.recipes.steps import (
    AddLora,
    CopyBackbone,
    Distill,
    FewImages,
    KeepZeros,
    PruneBeforeSchedule,
    PruneByMagnitude,
    PruneBySaliency,
    Quantize,
    SetChannels,
    SetDropout,
    ShareValues,
    TrainOnly,
)
from labkit.storage import checkpoints
from labkit.storage.checkpoints import CheckpointError
from labkit.training import Callback, TrainConfig, correct_images, evaluate
from labkit.training import loop as training_loop
from labkit.training.distillation import Distiller

CONFIG = TrainConfig(epochs=3, batch_size=32, peak_lr=0.3)
RETRAINING = TrainConfig(epochs=4, batch_size=32, peak_lr=0.1)


def tiny_recipe(name, start, *recipe_steps, config=RETRAINING):
    return Recipe(name, f"the tiny network {name}", "resnet20", start, recipe_steps, config, (10,))


TINY = {
    recipe.name: recipe
    for recipe in (
        tiny_recipe("dense", None, config=CONFIG),
        tiny_recipe("half", "dense", PruneByMagnitude("layer", (0.5,))),
        tiny_recipe("ramp", "dense", PruneByMagnitude("global", (0.2, 0.4, 0.6))),
        tiny_recipe("coarse", "half", Quantize(3, "asymmetric"), KeepZeros()),
        tiny_recipe("taught", "half", Distill("ramp", 0.5, 2.0)),
        tiny_recipe("shared", "half", ShareValues(3)),
    )
}


def put(monkeypatch, *recipes):
    """Make these the entries of the catalogue; one of a name that is there takes its place."""
    entries = {(recipe.name, recipe.class_counts): recipe for recipe in catalog.CATALOG}
    entries |= {(recipe.name, recipe.class_counts): recipe for recipe in recipes}
    monkeypatch.setattr(catalog, "CATALOG", tuple(entries.values()))


@pytest.fixture
def workshop(monkeypatch, tmp_path):
    """An empty home with tiny recipes and tiny data; gives the folder of its checkpoints."""
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")
    monkeypatch.delenv("LABKIT_MODE", raising=False)
    monkeypatch.setattr(catalog, "CATALOG", tuple(TINY.values()))
    monkeypatch.setattr(network, "build_network", lambda _, class_count: tiny_network(class_count))
    monkeypatch.setattr(training, "load_dataset", lambda _: tiny_dataset())
    monkeypatch.setattr(steps, "quantize_residual_blocks", partial(quantize_layers, names=["0"]))
    return tmp_path / "checkpoints" / "tiny"


@pytest.fixture
def runs(monkeypatch):
    """The recipes trained since, as a growing list of their epochs' number."""
    trained = []
    original = training.fit

    def counting(model, dataset, config, **options):
        trained.append(config.epochs)
        return original(model, dataset, config, **options)

    monkeypatch.setattr(training, "fit", counting)
    return trained


def change(monkeypatch, name, **options):
    """Replace hyperparameters of one recipe, as an edit of the source would."""
    recipe = TINY[name]
    put(monkeypatch, replace(recipe, config=replace(recipe.config, **options)))


def flip_a_bit(path):
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


# auto


@pytest.mark.usefixtures("workshop")
def test_auto_trains_what_is_absent_and_loads_it_the_next_time(runs):
    first = fit_or_load("dense", tiny_dataset())
    assert runs == [3]
    second = fit_or_load("dense", tiny_dataset())
    assert runs == [3]
    assert same_state(first, second)
    assert not first.training


@pytest.mark.usefixtures("workshop")
def test_the_manifest_records_what_the_weights_reach():
    dataset = tiny_dataset()
    model = fit_or_load("dense", dataset)
    entry = recorded("dense", dataset)
    assert (entry.test_loss, entry.test_top1, entry.test_top5) == evaluate(model, dataset, dataset.test)
    assert entry.validation_top1 == evaluate(model, dataset, dataset.validation).top1
    assert entry.recipe["config"]["epochs"] == len(entry.epochs) == 3
    assert entry.environment["torch"] == torch.__version__
    assert len(entry.loss_prefix) == 4
    assert entry.seconds == sum(record.seconds for record in entry.epochs)
    assert entry.nonzero_parameters == sum(int((p != 0).sum()) for p in model.parameters())


@pytest.mark.usefixtures("workshop")
@pytest.mark.parametrize("part", ["validation", "test"])
def test_the_manifest_records_which_images_were_classified_correctly(part):
    dataset = tiny_dataset()
    model = fit_or_load("dense", dataset)
    hits = recorded_hits(recorded("dense", dataset), dataset, part)
    assert hits.tolist() == correct_images(model, dataset, getattr(dataset, part)).tolist()
    assert 0 < hits.sum() < len(hits)


@pytest.mark.usefixtures("workshop")
def test_recorded_networks_are_compared_image_by_image():
    dataset = tiny_dataset()
    dense, half = (fit_or_load(name, dataset) for name in ("dense", "half"))
    entries = [recorded(name, dataset) for name in ("half", "dense")]
    differences = recorded_differences(*entries, dataset)
    for part, difference in zip(("validation", "test"), differences, strict=True):
        split = getattr(dataset, part)
        wanted = [evaluate(model, dataset, split).top1 for model in (half, dense)]
        assert difference.points == pytest.approx(wanted[0] - wanted[1])
        assert difference.standard_error >= 0
    backwards = recorded_differences(*reversed(entries), dataset)
    assert [-d.points for d in backwards] == pytest.approx([d.points for d in differences])
    assert all(d == (0.0, 0.0) for d in recorded_differences(entries[0], entries[0], dataset))


@pytest.mark.usefixtures("workshop")
@pytest.mark.parametrize("correct", [None, {}, {"test": "ff"}], ids=["no-record", "no-split", "other-size"])
def test_an_entry_without_a_record_for_each_image_is_refused(correct):
    dataset = tiny_dataset()
    fit_or_load("dense", dataset)
    entry = replace(recorded("dense", dataset), correct=correct)
    with pytest.raises(
        CheckpointError, match=r"does not record which of the \d+ test images .* train it again"
    ):
        recorded_hits(entry, dataset, "test")


def test_a_recipe_makes_its_start_first_and_leaves_two_files_and_the_manifest(workshop, runs):
    train(["half"])
    assert runs == [3, 4]
    assert {path.name for path in workshop.iterdir()} == {
        "dense.safetensors",
        "half.safetensors",
        "manifest.json",
    }


@pytest.mark.usefixtures("workshop")
def test_pruned_weights_stay_pruned_through_retraining_at_the_sparsity_asked_for():
    dataset = tiny_dataset()
    half, ramp = fit_or_load("half", dataset), fit_or_load("ramp", dataset)
    for weight in prunable_weights(half).values():
        assert int((weight == 0).sum()) == round(0.5 * weight.numel())
    assert total_sparsity(ramp) == pytest.approx(0.6, abs=0.5 / 186)
    sparsities = [record.sparsity for record in recorded("ramp", dataset).epochs]
    assert sparsities == pytest.approx([0.2, 0.4, 0.6, 0.6], abs=0.5 / 186)


@pytest.mark.usefixtures("workshop")
def test_a_quantized_recipe_loads_as_the_network_that_computes_with_rounded_weights():
    dataset = tiny_dataset()
    model, half = fit_or_load("coarse", dataset), fit_or_load("half", dataset)
    assert [layer.bits for layer in quantized_layers(model).values()] == [3]
    for name, weight in prunable_weights(half).items():
        assert (prunable_weights(model)[name][weight == 0] == 0).all()
    assert evaluate(model, dataset, dataset.test).top1 == recorded("coarse", dataset).test_top1


@pytest.mark.usefixtures("workshop")
def test_a_shared_recipe_is_stored_as_ordinary_weights_of_few_values():
    dataset = tiny_dataset()
    model, half = fit_or_load("shared", dataset), fit_or_load("half", dataset)
    assert model.state_dict().keys() == half.state_dict().keys()
    for name, weight in prunable_weights(half).items():
        assert len(prunable_weights(model)[name].unique()) <= 4
        assert (prunable_weights(model)[name][weight == 0] == 0).all()
    assert evaluate(model, dataset, dataset.test).top1 == recorded("shared", dataset).test_top1


def test_a_recipe_makes_its_teacher_too_and_is_stale_when_the_teacher_changes(workshop, monkeypatch, runs):
    train(["taught"])
    assert {path.name for path in workshop.iterdir()} == {
        "dense.safetensors",
        "half.safetensors",
        "ramp.lkc",
        "taught.safetensors",
        "manifest.json",
    }
    change(monkeypatch, "ramp", peak_lr=0.2)
    del runs[:]
    train(["taught"])
    assert len(runs) == 2


@pytest.mark.usefixtures("workshop")
def test_a_teacher_changes_what_is_learned(monkeypatch):
    taught = fit_or_load("taught", tiny_dataset())
    put(monkeypatch, replace(TINY["taught"], steps=()))
    assert not same_state(fit_or_load("taught", tiny_dataset()), taught)


def test_auto_refuses_a_damaged_checkpoint_with_the_command_that_rebuilds_it(workshop, runs):
    first = fit_or_load("dense", tiny_dataset())
    flip_a_bit(workshop / "dense.safetensors")
    with pytest.raises(CheckpointError, match=r"dense\.safetensors is damaged.*`labkit train dense`"):
        fit_or_load("dense", tiny_dataset())
    assert runs == [3]
    train(["dense"])
    assert same_state(fit_or_load("dense", tiny_dataset()), first)


@pytest.mark.parametrize("missing", ["half.safetensors", "dense.safetensors"])
def test_the_command_named_for_a_missing_file_rebuilds_it(workshop, runs, missing):
    train(["half"])
    (workshop / missing).unlink()
    name = missing.partition(".")[0]
    with pytest.raises(CheckpointError, match=f"missing; rebuild it: `labkit train {name}`"):
        fit_or_load(name, tiny_dataset())
    train([name])
    assert runs == [3, 4, TINY[name].config.epochs]
    fit_or_load(name, tiny_dataset())


@pytest.mark.usefixtures("workshop")
def test_a_changed_recipe_is_trained_again_and_so_is_what_starts_from_it(monkeypatch, runs):
    train(["half"])
    change(monkeypatch, "dense", peak_lr=0.2)
    train(["half"])
    assert runs == [3, 4, 3, 4]
    change(monkeypatch, "half", seed=1)
    train(["dense", "half"])
    assert runs == [3, 4, 3, 4, 4]


@pytest.mark.usefixtures("workshop")
def test_a_change_of_the_description_alone_trains_nothing(monkeypatch, runs):
    train(["dense"])
    put(monkeypatch, replace(TINY["dense"], description="other words"))
    train(["dense"])
    assert runs == [3]


# Weights that are not shipped


@pytest.fixture
def only_recorded(monkeypatch, workshop):
    """The dense recipe, trained, as one that ships its record alone; its weights are not there any more."""
    put(monkeypatch, replace(TINY["dense"], shipped=False))
    train(["dense"])
    (workshop / ".local" / "dense.safetensors").unlink()
    return workshop


def test_a_record_without_weights_is_read_and_replayed_and_says_how_its_weights_are_made(
    only_recorded, monkeypatch, runs
):
    dataset = tiny_dataset()
    assert [path.name for path in only_recorded.iterdir() if path.is_file()] == ["manifest.json"]
    assert len(recorded("dense", dataset).epochs) == 3
    training.verify_prefix(find_recipe("dense", 10), dataset)
    for mode in ("auto", "smoke"):
        monkeypatch.setenv("LABKIT_MODE", mode)
        with pytest.raises(CheckpointError, match=r"only the record is shipped.*`labkit train dense`"):
            fit_or_load("dense", dataset)
    assert runs == []


@pytest.mark.usefixtures("only_recorded")
def test_weights_that_are_not_shipped_are_made_when_named_but_not_with_all_others(runs):
    train(["dense"], only_shipped=True)
    assert runs == []
    train(["dense"])
    assert runs == [3]
    fit_or_load("dense", tiny_dataset())
    train(["dense"])
    assert runs == [3]


@pytest.mark.usefixtures("only_recorded")
def test_what_starts_from_weights_that_are_not_shipped_makes_them_first(runs):
    train(["half"])
    assert runs == [3, 4]


@pytest.mark.usefixtures("workshop")
def test_whether_weights_are_shipped_does_not_outdate_them(monkeypatch, runs):
    train(["dense"])
    put(monkeypatch, replace(TINY["dense"], shipped=False))
    train(["dense"])
    assert runs == [3]
    assert recorded("dense", tiny_dataset()).recipe == TINY["dense"].as_json() | {
        "steps": [],
        "class_counts": [10],
    }


# full


@pytest.mark.usefixtures("workshop")
def test_full_retrains_and_gets_the_same_weights(monkeypatch, runs):
    first = fit_or_load("dense", tiny_dataset())
    monkeypatch.setenv("LABKIT_MODE", "full")
    assert same_state(fit_or_load("dense", tiny_dataset()), first)
    train(["dense"])
    assert runs == [3, 3, 3]


# train


@pytest.mark.usefixtures("workshop")
def test_train_skips_what_is_up_to_date(runs):
    train(["dense", "half", "ramp"])
    train(["ramp", "dense", "half"])
    assert runs == [3, 4, 4]


def test_train_refuses_an_unknown_recipe_before_it_trains_anything(workshop, runs):
    with pytest.raises(ValueError, match="no recipe 'sparse'; there are dense, half, ramp, coarse"):
        train(["dense", "sparse"])
    assert runs == []
    assert not workshop.exists()


@pytest.mark.usefixtures("workshop")
def test_an_unknown_recipe_or_mode_is_refused(monkeypatch):
    with pytest.raises(ValueError, match="no recipe 'sparse'; there are dense, half, ramp, coarse"):
        fit_or_load("sparse", tiny_dataset())
    monkeypatch.setenv("LABKIT_MODE", "quick")
    with pytest.raises(ValueError, match="LABKIT_MODE='quick'"):
        fit_or_load("dense", tiny_dataset())


# Interruption


@pytest.mark.parametrize("name", ["dense", "half", "ramp", "coarse", "taught", "shared"])
def test_ctrl_c_leaves_a_state_to_resume_from_and_no_checkpoint(workshop, monkeypatch, name):
    train([name])
    whole = checkpoints.read_weights("tiny", name)
    for path in workshop.iterdir():
        path.unlink()
    train([source.name for source in TINY[name].sources()])
    epochs = iter(range(99))

    def interrupt_the_third(*arguments, **options):
        if next(epochs) == 2:
            raise KeyboardInterrupt
        return evaluate(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(training_loop, "evaluate", interrupt_the_third)
        with pytest.raises(KeyboardInterrupt):
            train([name])
    assert name not in checkpoints.read_manifest("tiny")
    assert not (workshop / f"{name}.safetensors").exists()
    left = [path.name for path in workshop.iterdir() if path.name.startswith(".")]
    assert len(left) == 1
    assert left[0].startswith(f".{name}.")
    assert left[0].endswith(".pt")

    remaining = []
    monkeypatch.setattr(training_loop, "evaluate", lambda *a, **k: remaining.append(1) or evaluate(*a, **k))
    train([name])
    assert len(remaining) == TINY[name].config.epochs - 2
    resumed = checkpoints.read_weights("tiny", name)
    assert all(torch.equal(resumed[key], whole[key]) for key in whole)
    assert not [path for path in workshop.iterdir() if path.name.startswith(".")]


def test_a_full_disk_at_the_end_keeps_the_state_so_that_nothing_is_trained_twice(workshop, monkeypatch):
    original = write_atomically

    def full(path, content):
        if path.suffix == ".safetensors":
            raise OSError(28, "No space left on device")
        original(path, content)

    with monkeypatch.context() as patch:
        patch.setattr("labkit.storage.checkpoints.write_atomically", full)
        with pytest.raises(OSError, match="No space left"):
            train(["dense"])
    assert [path.suffix for path in workshop.iterdir()] == [".pt"]
    evaluations = []
    monkeypatch.setattr(
        training_loop, "evaluate", lambda *a, **k: evaluations.append(1) or evaluate(*a, **k)
    )
    train(["dense"])
    assert evaluations == []
    assert {path.name for path in workshop.iterdir()} == {"dense.safetensors", "manifest.json"}


# smoke


@pytest.mark.usefixtures("workshop")
def test_smoke_loads_what_this_code_trains_without_training_it(monkeypatch, runs):
    expected = [fit_or_load(name, tiny_dataset()) for name in TINY]
    monkeypatch.setenv("LABKIT_MODE", "smoke")
    loaded = [fit_or_load(name, tiny_dataset()) for name in TINY]
    assert all(same_state(got, want) for got, want in zip(loaded, expected, strict=True))
    assert runs == [3, 4, 4, 4, 4, 4]


@pytest.mark.usefixtures("workshop")
def test_smoke_refuses_a_checkpoint_that_was_never_made(monkeypatch, runs):
    monkeypatch.setenv("LABKIT_MODE", "smoke")
    with pytest.raises(
        CheckpointError, match="no checkpoint 'dense' for tiny; make it: `labkit train dense`"
    ):
        fit_or_load("dense", tiny_dataset())
    assert runs == []


@pytest.mark.usefixtures("workshop")
@pytest.mark.parametrize(
    "options", [{"seed": 1}, {"peak_lr": 0.30001}, {"epochs": 4}, {"weight_decay": 0.0}]
)
def test_smoke_refuses_a_changed_recipe(monkeypatch, options):
    fit_or_load("dense", tiny_dataset())
    monkeypatch.setenv("LABKIT_MODE", "smoke")
    change(monkeypatch, "dense", **options)
    with pytest.raises(CheckpointError, match=r"dense was made by another recipe.*`labkit train dense`"):
        fit_or_load("dense", tiny_dataset())


@pytest.mark.usefixtures("workshop")
def test_smoke_refuses_other_data(monkeypatch):
    fit_or_load("dense", tiny_dataset())
    monkeypatch.setenv("LABKIT_MODE", "smoke")
    with pytest.raises(CheckpointError, match="made by another recipe or from other data"):
        fit_or_load("dense", tiny_dataset(train=255))


@pytest.mark.usefixtures("workshop")
@pytest.mark.parametrize(
    "change_code", ["seed", "momentum", "rate", "decay", "labels", "pruning", "amount"]
)
def test_the_loss_prefix_alone_tells_that_code_or_data_changed(monkeypatch, change_code):
    """The recipe's hash is made to agree, so that only the losses can tell."""
    monkeypatch.setattr(training, "recipe_hash", lambda _recipe, _dataset: "the same")
    name, dataset = ("ramp" if change_code in ("pruning", "amount") else "dense"), tiny_dataset()
    fit_or_load(name, dataset)
    if change_code == "seed":
        change(monkeypatch, name, seed=1)
    elif change_code == "rate":
        change(monkeypatch, name, peak_lr=1.25 * CONFIG.peak_lr)
    elif change_code == "momentum":
        change(monkeypatch, name, momentum=0.85)
    elif change_code == "decay":
        change(monkeypatch, name, weight_decay=0.0)
    elif change_code == "labels":
        shifted = dataset.train._replace(labels=(dataset.train.labels + 1) % 4)
        dataset = replace(dataset, train=shifted)
    else:
        other = ("layer", (0.2, 0.4, 0.6)) if change_code == "pruning" else ("global", (0.21,))
        put(monkeypatch, replace(TINY[name], steps=(PruneByMagnitude(*other),)))
    monkeypatch.setenv("LABKIT_MODE", "smoke")
    with pytest.raises(CheckpointError, match=rf"{name} is not what this code trains: loss .* recorded"):
        fit_or_load(name, dataset)


def test_smoke_refuses_a_damaged_file_even_though_its_losses_are_reproduced(workshop, monkeypatch):
    fit_or_load("dense", tiny_dataset())
    flip_a_bit(workshop / "dense.safetensors")
    monkeypatch.setenv("LABKIT_MODE", "smoke")
    with pytest.raises(CheckpointError, match="is damaged"):
        fit_or_load("dense", tiny_dataset())


# The catalogue


def test_every_recipe_can_be_made_in_the_order_in_which_they_stand():
    for count in (10, 52, 100):
        made = set()
        for recipe in CATALOG:
            if count in recipe.class_counts:
                same_set = [source.name for source in recipe.sources() if source.class_count is None]
                assert made.issuperset(same_set), recipe.name
                made.add(recipe.name)


def test_name_and_class_count_identify_an_entry():
    keys = [(recipe.name, count) for recipe in CATALOG for count in recipe.class_counts]
    assert len(keys) == len(set(keys)) == 214
    for name, count in keys:
        recipe = find_recipe(name, count)
        assert recipe.name == name
        assert count in recipe.class_counts


def test_recipes_by_name_are_those_for_10_classes():
    assert list(RECIPES) == list(dict.fromkeys(recipe.name for recipe in CATALOG))
    assert all({10, 52} & set(recipe.class_counts) for recipe in RECIPES.values())


def test_data_of_another_class_count_gets_the_first_entry():
    assert find_recipe("vgg16-shared", 37) is find_recipe("vgg16-shared", 10)
    assert find_recipe("resnet20", 100) is find_recipe("resnet20", 10)


def test_no_schedule_is_longer_than_its_training():
    for recipe in CATALOG:
        for step in recipe.steps:
            if isinstance(step, PruneByMagnitude):
                assert len(step.sparsities) <= recipe.config.epochs


def test_the_iterative_recipes_prune_8_per_cent_more_an_epoch_and_then_train_10_epochs_more():
    for name in ("resnet20-iterative-80", "resnet20-global-80"):
        (step,) = RECIPES[name].steps
        assert step.sparsities == tuple(linear_ramp(0.8, 10))
        assert RECIPES[name].config.epochs == 20


def test_lab_09_finds_how_many_channels_are_kept():
    assert RECIPES["vgg16-channels"].kept_channels[:2] == (64, 48)
    with pytest.raises(ValueError, match="resnet20"):
        _ = RECIPES["resnet20"].kept_channels


# Steps


def test_the_manifest_records_the_steps_by_the_names_of_their_classes():
    recipe = tiny_recipe("net", None, Quantize(3, "symmetric"), SetDropout(0.1))
    assert recipe.as_json()["steps"] == [
        {"step": "Quantize", "bits": 3, "scheme": "symmetric"},
        {"step": "SetDropout", "probability": 0.1},
    ]


def test_the_order_and_the_kind_of_steps_change_the_hash():
    orders = [(KeepZeros(), Distill("t", 0.5, 2.0)), (Distill("t", 0.5, 2.0), KeepZeros()), (KeepZeros(),)]
    recipes = [replace(TINY["dense"], steps=order) for order in orders]
    assert len({str(recipe.as_json()) for recipe in recipes}) == 3


@pytest.mark.usefixtures("workshop")
def test_steps_prepare_the_network_in_their_order():
    calls = []

    class Note(Step):
        def prepare(self, model, recipe, dataset):
            calls.append((self, recipe.name, dataset.name))
            return model

    first, second = Note(), Note()
    network.starting_model(tiny_recipe("net", None, first, second), tiny_dataset())
    assert [step is expected for (step, *_), expected in zip(calls, (first, second), strict=True)] == [
        True
    ] * 2
    assert calls[0][1:] == ("net", "tiny")


def test_a_control_has_the_widths_of_its_recipe_and_random_weights():
    widths = (4, 3, 4, 4, 3, 5, 2, 3, 5, 2, 3, 4, 5)
    recipe = Recipe("control", "widths", "vgg16", None, (SetChannels(widths),), RETRAINING, (10,))
    states = [network.starting_model(recipe, tiny_dataset(classes=7)).state_dict() for _ in range(2)]
    convolutions = [value for value in states[0].values() if value.ndim == 4]
    assert tuple(map(len, convolutions)) == widths
    assert states[0]["classifier.6.weight"].shape[0] == 7
    assert all(torch.equal(value, states[1][name]) for name, value in states[0].items())
    with pytest.raises(ValueError, match="control: only a VGG16"):
        SetChannels(widths).prepare(tiny_network(), recipe, tiny_dataset())


def test_a_step_that_does_nothing_leaves_network_and_training_as_they_are():
    model, inner = tiny_network(), Callback()
    assert Step().prepare(model, TINY["dense"], tiny_dataset()) is model
    assert Step().restore(model) is model
    assert Step().callback(inner, TINY["dense"], tiny_dataset()) is inner
    assert Step().sources() == ()


@pytest.mark.usefixtures("workshop")
def test_distillation_takes_in_the_callback_of_the_steps_before_it():
    train(["dense"])
    recipe = tiny_recipe("net", "dense", KeepZeros(), Distill("dense", 0.5, 2.0))
    callback = network.training_callback(recipe, tiny_dataset())
    assert isinstance(callback, Distiller)
    assert isinstance(callback.inner, PruningCallback)


@pytest.mark.parametrize("order", [(KeepZeros(), ShareValues(3)), (ShareValues(3), KeepZeros())])
def test_two_steps_that_cannot_act_together_are_refused(order):
    with pytest.raises(ValueError, match="cannot act together"):
        network.training_callback(tiny_recipe("net", None, *order), tiny_dataset())


def test_pruning_by_saliency_waits_for_accuracies():
    step = PruneBySaliency("magnitude", (0.3, 0.6), accuracies=(40.0, 60.0), spared=("5",))
    callback = network.training_callback(tiny_recipe("net", None, step), tiny_dataset())
    assert isinstance(callback, StagedPruning)
    assert callback.stages == [(0.3, 40.0), (0.6, 60.0)]
    model = tiny_network()
    masks = callback.rule(model, 0.5)
    assert "5.weight" not in masks or masks["5.weight"].all()


@pytest.mark.parametrize("rule", ["grasp", "snip", "magnitude", "random", "grasp-shares"])
def test_a_comparison_of_rules_scores_in_float64_and_starts_its_schedule_after_the_last_cut(
    workshop, monkeypatch, rule
):
    types, original = set(), steps.masks_by_rule

    def noting(model, *arguments, **options):
        types.update(weight.dtype for weight in prunable_weights(model).values())
        return original(model, *arguments, **options)

    monkeypatch.setattr(steps, "masks_by_rule", noting)
    monkeypatch.setattr(
        steps, "calibration_batches", partial(steps.calibration_batches, images_per_class=4)
    )
    step = PruneBeforeSchedule(rule, (0.3, 0.6), (20.0, 100.1), spared=("5",), rate=0.05, epochs=3)
    put(monkeypatch, tiny_recipe("cut", None, step, config=replace(CONFIG, batch_size=8)))
    train(["cut"])
    epochs = recorded("cut", tiny_dataset()).epochs
    assert [record.lead for record in epochs] == [True] * 3 + [False] * 3
    assert types == {torch.float64}
    cuts = [cut for record in epochs for cut in record.cuts]
    assert [cut.sparsity for cut in cuts] == pytest.approx([0.3, 0.6], abs=0.5 / 186)
    assert epochs[3].cuts == (cuts[1],)  # an accuracy above 100 % is never reached
    assert (workshop / "cut.lkc").is_file()
    training.verify_prefix(find_recipe("cut", 10), tiny_dataset())


def test_lab_08_compares_five_rules_in_two_ways_with_three_seeds():
    runs = [r for r in CATALOG if not r.shipped and r.network == "vgg16-narrow"]
    assert len(runs) == 5 * 2 * 3 + 2 * 3 + 2 * 3
    assert all(run.name.endswith(f"seed{run.config.seed}") and run.start is None for run in runs)
    one, other = RECIPES["vgg16-narrow-snip-once-seed1"], RECIPES["vgg16-narrow-snip-staged-seed1"]
    assert one.config == other.config == replace(RECIPES["vgg16-narrow-dense-30-seed1"].config)


def test_dropout_is_set_everywhere():
    model = torch.nn.Sequential(torch.nn.Dropout(0.5), torch.nn.Sequential(torch.nn.Dropout(0.5)))
    SetDropout(0.25).prepare(model, TINY["dense"], tiny_dataset())
    assert [model[0].p, model[1][0].p] == [0.25, 0.25]


@pytest.mark.parametrize(
    ("name", "dtype", "suffix"),
    [("resnet20", torch.float32, "safetensors"), ("vgg16", torch.float16, "lkc")],
)
def test_large_networks_are_stored_in_half_precision_in_a_container(name, dtype, suffix):
    model = tiny_network()
    state = network.round_weights(model.state_dict(), name)
    assert {tensor.dtype for tensor in state.values() if tensor.ndim > 1} == {dtype}
    assert state["1.running_var"].dtype == torch.float32
    assert network.file_format(name, model) == suffix


# Two data sets


@pytest.fixture
def two_sets(monkeypatch, workshop):  # noqa: ARG001
    """Recipes for a tiny set of 4 and one of 100 classes, whose network has a backbone and ``fc``."""
    sets = {10: tiny_dataset(), 100: replace(tiny_dataset(classes=100, train=300), name="tiny100")}
    dense = tiny_recipe("net", None, config=CONFIG)
    short = replace(CONFIG, epochs=1)
    for_100 = replace(dense, steps=(CopyBackbone("net", 10),), config=short, class_counts=(100,))
    put(monkeypatch, dense, for_100)
    monkeypatch.setattr(training, "load_dataset", sets.get)
    monkeypatch.setattr(steps, "load_dataset", sets.get)

    def with_backbone(_, class_count):
        *features, classifier = tiny_network(class_count)
        parts = {"features": torch.nn.Sequential(*features), "fc": classifier}
        return torch.nn.Sequential(OrderedDict(parts))

    monkeypatch.setattr(network, "build_network", with_backbone)
    return sets


def test_on_100_classes_a_recipe_may_differ_and_begin_with_the_backbone_of_the_other_set(two_sets, runs):
    train(["net", "dense"], (100,))
    assert runs == [3, 1]  # what it begins with is made first; "dense" is not for 100 classes
    ten = checkpoints.read_weights("tiny", "net")
    model = network.starting_model(find_recipe("net", 100), two_sets[100])
    assert torch.equal(model.features[0].weight, ten["features.0.weight"])
    assert model.fc.weight.shape == (100, 6)
    train(["net"])
    assert runs == [3, 1]


@pytest.mark.usefixtures("two_sets")
def test_another_recipe_of_the_10_class_set_outdates_what_began_with_its_convolutions(monkeypatch, runs):
    train(["net"])
    base = find_recipe("net", 10)
    put(monkeypatch, replace(base, config=replace(base.config, peak_lr=0.2)))
    train(["net"])
    assert runs == [3, 1, 3, 1]


# Transfer


def transfer(*recipe_steps, seed=0):
    return Recipe(
        "moved", "a transfer", "resnet20", None, recipe_steps, replace(RETRAINING, seed=seed), (10,)
    )


def test_few_images_limit_training_alone_and_the_seed_chooses_them():
    dataset = tiny_dataset()
    few, other = (training_data(transfer(FewImages(3), seed=seed), dataset) for seed in (0, 1))
    assert few.train.labels.bincount().tolist() == [3] * 4
    assert few.test is dataset.test
    assert not torch.equal(few.train.images, other.train.images)


@pytest.mark.usefixtures("workshop")
def test_a_recipe_trains_and_replays_on_its_few_images(monkeypatch):
    sizes = []
    for name in ("fit", "loss_prefix"):
        original = getattr(training, name)

        def noting(model, dataset, *given, original=original, **options):
            sizes.append(dataset.train.size)
            return original(model, dataset, *given, **options)

        monkeypatch.setattr(training, name, noting)
    put(monkeypatch, transfer(FewImages(3)))
    fit_or_load("moved", tiny_dataset())
    assert sizes == [12, 12]


@pytest.mark.usefixtures("workshop")
def test_lora_is_stored_as_an_ordinary_network_whose_frozen_parts_did_not_change(monkeypatch):
    put(monkeypatch, transfer(TrainOnly(r"5\.bias"), AddLora("0", 1)))
    trained = fit_or_load("moved", tiny_dataset()).state_dict()
    start = network.starting_model(transfer(), tiny_dataset()).state_dict()
    assert trained.keys() == start.keys()
    changed = {name for name in start if not torch.equal(start[name], trained[name])}
    assert changed == {"0.weight", "5.bias"}
    difference = (trained["0.weight"] - start["0.weight"]).flatten(1)
    assert torch.linalg.matrix_rank(difference, rtol=1e-3) == 1


def test_a_backbone_is_copied_without_its_classifier(monkeypatch):
    torch.manual_seed(0)
    stored = network.build_network("resnet18-quarter", 52)
    stored.bn1.running_mean += 1
    monkeypatch.setattr(steps, "load_dataset", lambda count: tiny_dataset(classes=count))
    monkeypatch.setattr(checkpoints, "read_weights", lambda *_: stored.state_dict())
    step, fresh = CopyBackbone("stored", 52), network.build_network("resnet18-quarter", 10)
    head = fresh.fc.weight.clone()
    model = step.prepare(fresh, transfer(step), tiny_dataset())
    assert torch.equal(model.bn1.running_mean, stored.bn1.running_mean)
    assert torch.equal(model.layer4[1].conv2.weight, stored.layer4[1].conv2.weight)
    assert torch.equal(model.fc.weight, head)
    assert [(source.name, source.class_count) for source in step.sources()] == [("stored", 52)]


def test_every_transfer_of_lab_11_names_parameters_and_layers_that_exist():
    recipes = [
        recipe for recipe in CATALOG if recipe.name.startswith("resnet18-") and 10 in recipe.class_counts
    ]
    assert len(recipes) == 66
    for recipe in recipes:
        model = network.build_network(recipe.network, 10)
        for step in recipe.steps:
            if isinstance(step, TrainOnly | AddLora):
                model = step.prepare(model, recipe, tiny_dataset())
        assert not recipe.shipped


# Schedules


def test_lab_10_trains_eight_kinds_of_convnet_with_three_seeds_and_equal_budgets():
    runs = [recipe for recipe in CATALOG if recipe.network.startswith("convnet")]
    assert {recipe.name for recipe in runs} == {
        f"convnet-{kind}-seed{seed}"
        for kind in (
            "multistep",
            "cosine",
            "cosine-double",
            "filters-50",
            "weights-50",
            "filters-50-cosine",
            "weights-75",
            "half",
        )
        for seed in (0, 1, 2)
    }
    assert {(r.config.epochs, r.config.peak_lr, r.config.batch_size, r.start) for r in runs} == {
        (50, 0.1, 128, None)
    }
    assert all(recipe.name.endswith(f"seed{recipe.config.seed}") for recipe in runs)
    assert not any(recipe.shipped for recipe in runs)
