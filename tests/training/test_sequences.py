import math
from itertools import repeat

import pytest
import torch
from torch import nn

from labkit.training.evaluate import Evaluation
from labkit.training.sequences import (
    IGNORED,
    SequenceConfig,
    evaluate_sequences,
    fit_sequences,
    sequence_loss_prefix,
)

BATCH = ((torch.tensor([[0, 1, 2]]),), torch.tensor([[1, 2, IGNORED]]))
NOTHING = Evaluation(0.0, 0.0, 0.0)


@pytest.fixture
def model(monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(3, 4), nn.Dropout(0.0), nn.Linear(4, 3))


def test_training_learns_records_tenths_and_keeps_the_mode(model):
    model.eval()
    config = SequenceConfig(steps=50, peak_lr=0.1)
    records = fit_sequences(
        model, repeat(BATCH), config, evaluate=lambda m: evaluate_sequences(m, [BATCH]), progress=False
    )
    assert [record.epoch for record in records] == list(range(10))
    assert records[-1].validation_loss < 0.01 < records[0].train_loss
    assert records[-1].validation_top1 == 100
    assert not model.training


def test_what_is_ignored_has_no_influence(model):
    loss = evaluate_sequences(model, [BATCH]).loss
    other = ((torch.tensor([[0, 1]]),), torch.tensor([[1, 2]]))
    assert loss == pytest.approx(evaluate_sequences(model, [other]).loss)
    expected = -model(BATCH[0][0]).log_softmax(-1)[0, [0, 1], [1, 2]].mean().item()
    assert loss == pytest.approx(expected, rel=1e-6)


def test_the_loss_prefix_is_that_of_the_training_in_float64(model):
    config = SequenceConfig(steps=6)
    losses = sequence_loss_prefix(model, repeat(BATCH), config, steps=3)
    assert len(losses) == 3
    assert losses[0] > losses[-1]
    assert next(model.parameters()).dtype == torch.float64


def test_too_few_batches_and_a_loss_that_is_nan_are_errors(model):
    with pytest.raises(ValueError, match="2 batches for 5 steps"):
        fit_sequences(
            model, [BATCH] * 2, SequenceConfig(steps=5), evaluate=lambda _: NOTHING, progress=False
        )
    model[2].bias.data.fill_(math.nan)
    with pytest.raises(FloatingPointError, match="step 0"):
        fit_sequences(
            model, repeat(BATCH), SequenceConfig(steps=5), evaluate=lambda _: NOTHING, progress=False
        )


def test_an_evaluation_of_nothing_is_refused(model):
    with pytest.raises(ValueError, match="no token"):
        evaluate_sequences(model, [(BATCH[0], torch.full((1, 3), IGNORED))])


@pytest.mark.parametrize(
    "change", [{"steps": 0}, {"batch_size": 0}, {"peak_lr": 0.0}, {"warmup": 1.0}, {"seed": -1}]
)
def test_settings_that_cannot_train_are_refused(change):
    with pytest.raises(ValueError, match="must be"):
        SequenceConfig(**change)
