"""Recipes of the transformers of lab 12: what they are trained on, and their weights.

They are apart from :data:`labkit.recipes.CATALOG` because that one's recipes are trained on images, in
epochs, by labkit.training.fit. Manifest and files are of the same kind, in ``checkpoints/sequences/``:
there accuracies are per token, each predicted from the right tokens before it, and an epoch is a tenth
of the steps.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

import torch
from torch import Tensor

from labkit import settings
from labkit.data.sequences import PADDING, SequencePairs, make_pairs
from labkit.data.sequences import VOCABULARY as DIGIT_TOKENS
from labkit.data.text import ALPHABET, load_topics
from labkit.environment import keep_random_state, seed_everything
from labkit.models.transformer import LanguageModel, Transformer, TransformerShape
from labkit.recipes.records import compare_prefix, training_facts
from labkit.storage import checkpoints
from labkit.storage.checkpoints import CheckpointError, Entry
from labkit.training.sequences import (
    IGNORED,
    SequenceConfig,
    TokenBatch,
    evaluate_sequences,
    fit_sequences,
    sequence_loss_prefix,
)

__all__ = [
    "SEQUENCE_RECIPES",
    "SequenceRecipe",
    "as_batch",
    "fit_or_load_sequence",
    "is_whole_sequence",
    "recorded_sequence",
    "text_windows",
    "train_sequence",
    "verify_sequence",
]

FOLDER = "sequences"
CONTEXT = 128  # characters of a passage of text


@dataclass(frozen=True)
class SequenceRecipe:
    """How one transformer is made; ``sizes`` are those of :func:`labkit.data.sequences.make_pairs`."""

    name: str
    description: str
    task: Literal["reversal", "addition", "text"]
    sizes: tuple[int, int]
    shape: TransformerShape
    config: SequenceConfig


SEQUENCE_RECIPES = {
    recipe.name: recipe
    for recipe in (
        SequenceRecipe(
            name="transformer-reversal",
            description="reverses 4 to 10 digits",
            task="reversal",
            sizes=(4, 10),
            shape=TransformerShape(DIGIT_TOKENS),
            config=SequenceConfig(steps=500, batch_size=64),
        ),
        SequenceRecipe(
            name="transformer-addition",
            description="adds two numbers of 1 to 3 digits",
            task="addition",
            sizes=(1, 3),
            shape=TransformerShape(DIGIT_TOKENS),
            config=SequenceConfig(steps=3000, batch_size=64),
        ),
        SequenceRecipe(
            name="transformer-characters",
            description="predicts the next character of CPython's help topics",
            task="text",
            sizes=(CONTEXT, CONTEXT),
            shape=TransformerShape(len(ALPHABET), width=128, hidden=512),
            config=SequenceConfig(batch_size=16, weight_decay=0.1),
        ),
    )
}


def as_batch(pairs: SequencePairs) -> TokenBatch:
    """Return what a transformer is trained on: it sees the target up to each token that it predicts."""
    predicted = pairs.targets[:, 1:]
    return (pairs.sources, pairs.targets[:, :-1]), predicted.masked_fill(predicted == PADDING, IGNORED)


def text_windows(passages: tuple[Tensor, ...], length: int = CONTEXT) -> list[TokenBatch]:
    """Cut passages into windows of ``length`` predictions, in batches of up to 64; a rest is left out."""
    long_enough = [passage for passage in passages if len(passage) > length]
    windows = torch.cat([passage.unfold(0, length + 1, length) for passage in long_enough])
    return [((part[:, :-1],), part[:, 1:]) for part in windows.split(64)]


def fit_or_load_sequence(name: str) -> Transformer | LanguageModel:
    """Return the trained transformer ``name``, in evaluation mode on the device in use.

    ``$LABKIT_MODE`` decides how, as for :func:`labkit.recipes.fit_or_load`.

    Raises:
        ValueError: if there is no such recipe.
        CheckpointError: if the stored file is damaged, or, in smoke mode, absent or not reproduced.
    """
    recipe, mode = _find(name), settings.mode()
    if mode == "smoke":
        verify_sequence(name)
    elif mode == "full" or not _is_current(recipe):
        train_sequence(name)
    model = _new_model(recipe)
    state = checkpoints.read_weights(FOLDER, name)
    model.load_state_dict({key: tensor.float() for key, tensor in state.items()})
    return model.to(settings.choose_device()).eval()


def recorded_sequence(name: str) -> Entry:
    """Return what the manifest records of a transformer."""
    return checkpoints.read_entry(FOLDER, name)


def train_sequence(name: str) -> Entry:
    """Train one transformer and store its weights, in half precision, with what was measured on it."""
    recipe = _find(name)
    prefix = _replay(recipe)
    model = _new_model(recipe)
    epochs = fit_sequences(
        model,
        _batches(recipe),
        recipe.config,
        evaluate=lambda trained: evaluate_sequences(trained, _fixed_batches(recipe, "validation")),
    )
    state = {key: tensor.half() for key, tensor in model.state_dict().items()}
    model.load_state_dict(state)
    validation = evaluate_sequences(model, _fixed_batches(recipe, "validation"))
    test = evaluate_sequences(model, _fixed_batches(recipe, "test"))
    facts: dict[str, object] = {
        "recipe": asdict(recipe),
        "recipe_hash": _hash(recipe),
        "validation_top1": validation.top1,
        "test_loss": test.loss,
        "test_top1": test.top1,
        "test_top5": test.top5,
        **training_facts(epochs, prefix),
    }
    return checkpoints.write_checkpoint(FOLDER, name, state, facts)


def verify_sequence(name: str) -> float:
    """Replay the first steps in float64 and compare their losses with the manifest's.

    Returns:
        The largest difference, as a share of what is allowed: at most 1.

    Raises:
        CheckpointError: if a loss differs by more, or the checkpoint was made by another recipe.
    """
    recipe, entry = _find(name), recorded_sequence(name)
    if entry.recipe_hash != _hash(recipe):
        raise CheckpointError(f"{name} was made by another recipe; retrain it: `labkit train {name}`.")
    return compare_prefix(name, _replay(recipe), entry.loss_prefix)


def is_whole_sequence(name: str) -> bool:
    """Whether this recipe's result is recorded and its weights are undamaged."""
    try:
        checkpoints.read_weights(FOLDER, name)
    except CheckpointError:
        return False
    return _is_current(_find(name))


def _find(name: str) -> SequenceRecipe:
    if name not in SEQUENCE_RECIPES:
        raise ValueError(f"there is no recipe {name!r}; there are {', '.join(SEQUENCE_RECIPES)}.")
    return SEQUENCE_RECIPES[name]


def _hash(recipe: SequenceRecipe) -> str:
    facts = {key: value for key, value in asdict(recipe).items() if key != "description"}
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


def _is_current(recipe: SequenceRecipe) -> bool:
    entry = checkpoints.read_manifest(FOLDER).get(recipe.name)
    return entry is not None and entry.recipe_hash == _hash(recipe)


@keep_random_state()
def _new_model(recipe: SequenceRecipe) -> Transformer | LanguageModel:
    """Return the network with random weights by the recipe's seed."""
    seed_everything(recipe.config.seed)
    return LanguageModel(recipe.shape) if recipe.task == "text" else Transformer(recipe.shape)


@keep_random_state()
def _replay(recipe: SequenceRecipe) -> list[float]:
    return sequence_loss_prefix(_new_model(recipe), _batches(recipe), recipe.config)


def _batches(recipe: SequenceRecipe) -> Iterator[TokenBatch]:
    """Yield training batches without end."""
    generator = torch.Generator().manual_seed(recipe.config.seed)
    count = recipe.config.batch_size
    if recipe.task == "text":
        text, place = torch.cat(load_topics().train), torch.arange(CONTEXT + 1)
        while True:
            starts = torch.randint(len(text) - CONTEXT, (count, 1), generator=generator)
            window = text[starts + place]
            yield (window[:, :-1],), window[:, 1:]
    while True:
        yield as_batch(make_pairs(recipe.task, count, generator, sizes=recipe.sizes))


def _fixed_batches(recipe: SequenceRecipe, part: Literal["validation", "test"]) -> list[TokenBatch]:
    """Return what the trained network is measured on."""
    if recipe.task == "text":
        text = load_topics()
        return text_windows(text.validation if part == "validation" else text.test)
    generator = torch.Generator().manual_seed(1001 if part == "validation" else 1002)
    return [as_batch(make_pairs(recipe.task, 1000, generator, sizes=recipe.sizes, part="held out"))]
