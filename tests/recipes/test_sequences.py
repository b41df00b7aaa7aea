import json
from dataclasses import asdict, replace

import pytest
import torch

from labkit.data.sequences import PADDING, START, make_pairs
from labkit.data.text import ALPHABET, load_topics
from labkit.models import TrigramModel, greedy_decode
from labkit.recipes import (
    SEQUENCE_RECIPES,
    fit_or_load_sequence,
    recorded_sequence,
    sequences,
    train,
    train_sequence,
    verify_sequence,
)
from labkit.storage import checkpoints
from labkit.storage.checkpoints import CheckpointError
from labkit.training.sequences import evaluate_sequences

SHIPPED = sorted(checkpoints.read_manifest("sequences"))


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The recipe of the reversal in one layer and ten steps, and no checkpoints yet."""
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")
    monkeypatch.delenv("LABKIT_MODE", raising=False)
    recipe = SEQUENCE_RECIPES["transformer-reversal"]
    shape = replace(recipe.shape, layers=1, heads=2, width=8, hidden=8)
    small = replace(recipe, shape=shape, config=replace(recipe.config, steps=10, batch_size=4))
    monkeypatch.setitem(SEQUENCE_RECIPES, small.name, small)
    return small


def test_a_recipe_is_trained_once_stored_in_half_precision_and_loaded(tiny, monkeypatch):
    state = torch.get_rng_state()
    model = fit_or_load_sequence(tiny.name)
    assert torch.equal(torch.get_rng_state(), state)
    entry = recorded_sequence(tiny.name)
    assert len(entry.epochs) == 10
    assert entry.recipe == json.loads(json.dumps(asdict(tiny)))
    assert not model.training
    assert all(torch.equal(p, p.half().float()) for p in model.parameters())
    monkeypatch.setattr(sequences, "train_sequence", lambda name: pytest.fail(f"{name} trained again"))
    again = fit_or_load_sequence(tiny.name)
    assert all(map(torch.equal, model.parameters(), again.parameters()))
    train([tiny.name], (10,))


def test_smoke_mode_replays_the_first_steps_and_notices_another_recipe(tiny, monkeypatch):
    train_sequence(tiny.name)
    monkeypatch.setenv("LABKIT_MODE", "smoke")
    assert fit_or_load_sequence(tiny.name) is not None
    assert verify_sequence(tiny.name) <= 1
    losses = [loss * 1.0001 for loss in recorded_sequence(tiny.name).loss_prefix]
    monkeypatch.setattr(sequences, "_replay", lambda _: losses)
    with pytest.raises(CheckpointError, match="not what this code trains"):
        verify_sequence(tiny.name)
    changed = replace(tiny, config=replace(tiny.config, peak_lr=0.1))
    monkeypatch.setitem(SEQUENCE_RECIPES, tiny.name, changed)
    with pytest.raises(CheckpointError, match="another recipe"):
        verify_sequence(tiny.name)


def test_an_unknown_recipe_is_refused_with_the_names_there_are():
    with pytest.raises(ValueError, match="transformer-reversal"):
        fit_or_load_sequence("transformer")


def test_windows_cover_a_passage_without_overlap_of_what_is_predicted():
    passage = torch.arange(21)
    ((inputs,), targets), *rest = sequences.text_windows((passage, passage[:5]), 5)
    assert not rest
    assert targets.flatten().tolist() == list(range(1, 21))
    assert torch.equal(inputs + 1, targets)


@pytest.mark.heavy
def test_every_recipe_is_shipped_and_every_file_belongs_to_a_recipe():
    assert set(SHIPPED) == set(SEQUENCE_RECIPES)
    folder = checkpoints.manifest_path("sequences").parent
    assert {path.stem for path in folder.glob("*.safetensors")} == set(SHIPPED)
    assert sum(entry.size_bytes for entry in checkpoints.read_manifest("sequences").values()) < 3e6


@pytest.mark.heavy
@pytest.mark.replay
@pytest.mark.parametrize("name", SHIPPED)
def test_replay_gives_the_recorded_losses(name, record_property):
    record_property("tolerance_used", round(verify_sequence(name), 6))


@pytest.mark.heavy
@pytest.mark.parametrize("name", [name for name in SHIPPED if name != "transformer-characters"])
def test_a_shipped_transformer_solves_99_per_cent_of_held_out_examples(name):
    recipe, model = SEQUENCE_RECIPES[name], fit_or_load_sequence(name)
    generator = torch.Generator().manual_seed(3)
    pairs = make_pairs(recipe.task, 1000, generator, sizes=recipe.sizes, part="held out")
    written = greedy_decode(model, pairs.sources, start=START, steps=pairs.targets.shape[1] - 1)
    wanted = pairs.targets[:, 1:]
    right = ((written == wanted) | (wanted == PADDING)).all(1).float().mean().item()
    assert right >= 0.99


@pytest.mark.heavy
def test_the_shipped_language_model_beats_trigrams():
    text = load_topics()
    windows = sequences.text_windows(text.validation)
    trigrams = evaluate_sequences(TrigramModel(text.train, len(ALPHABET)), windows)
    assert (
        evaluate_sequences(fit_or_load_sequence("transformer-characters"), windows).loss
        < trigrams.loss - 0.4
    )
