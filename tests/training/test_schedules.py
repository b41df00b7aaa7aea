"""Schedules against torch's own; configurations and records that hold them."""

from dataclasses import asdict

import numpy as np
import pytest
import torch
from tiny import seeded_network, tiny_dataset
from torch.optim.lr_scheduler import CosineAnnealingLR, MultiStepLR

from labkit.training import EpochRecord, ScheduledConfig, TrainConfig, fit
from labkit.training.config import records_from_json, records_to_json
from labkit.training.schedules import (
    SCHEDULES,
    Constant,
    Cosine,
    MultiStep,
    WarmupCosine,
    find_schedule,
    schedule_optimizer,
)

STEPS = 40
CONFIG = ScheduledConfig(epochs=2, batch_size=32, peak_lr=0.1, schedule=MultiStep((0.5,)))


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")


def optimizer(*rates, kind=torch.optim.SGD):
    groups = [{"params": [torch.nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates]
    return kind(groups)


def followed(scheduler, steps=STEPS):
    """Return the rates of every parameter group at each step, as an optimizer would use them."""
    rates = []
    for _ in range(steps):
        rates.append([group["lr"] for group in scheduler.optimizer.param_groups])
        scheduler.optimizer.step()
        scheduler.step()
    return np.array(rates)


@pytest.mark.parametrize(
    ("schedule", "peer"),
    [
        (MultiStep((0.3, 0.6, 0.8)), lambda opt: MultiStepLR(opt, [12, 24, 32])),
        (MultiStep((0.25,), gamma=0.5), lambda opt: MultiStepLR(opt, [10], gamma=0.5)),
        (Cosine(), lambda opt: CosineAnnealingLR(opt, T_max=STEPS)),
        (Cosine(2.0), lambda opt: CosineAnnealingLR(opt, T_max=2 * STEPS)),
    ],
)
@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_a_schedule_gives_the_rates_of_torchs_own_for_every_group_of_any_optimizer(schedule, peer, kind):
    expected = followed(peer(optimizer(0.1, 2.0, kind=kind)))
    scheduler = schedule_optimizer(optimizer(0.1, 2.0, kind=kind), schedule, STEPS)
    np.testing.assert_allclose(followed(scheduler), expected, rtol=1e-9, atol=1e-12)
    assert schedule.rate(STEPS - 1, STEPS, 0.1) == pytest.approx(expected[-1, 0], rel=1e-9)


def test_the_constant_rate_is_constant_and_the_warm_up_is_that_of_the_configuration():
    assert {Constant().rate(step, STEPS, 0.3) for step in range(STEPS)} == {0.3}
    config = TrainConfig(peak_lr=0.4, warmup=0.1)
    rates = [WarmupCosine(0.1).rate(step, STEPS, 0.4) for step in range(STEPS)]
    assert rates == [config.learning_rate(step, STEPS) for step in range(STEPS)]


def test_after_the_last_step_the_rate_of_an_optimizer_stays():
    scheduler = schedule_optimizer(optimizer(1.0), Cosine(), 4)
    rates = followed(scheduler, 7).ravel()
    assert rates[3:].tolist() == [rates[3]] * 4


def test_schedules_are_found_by_their_names():
    for name, kind in SCHEDULES.items():
        options = {"milestones": (0.5,)} if kind is MultiStep else {}
        schedule = find_schedule(name, **options)
        assert isinstance(schedule, kind)
        assert asdict(schedule)["name"] == name


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (lambda: find_schedule("linear"), "warmup-cosine"),
        (lambda: find_schedule("cosine", gamma=0.1), "gamma"),
        (lambda: MultiStep((0.5, 0.25)), "rising"),
        (lambda: MultiStep((0.0,)), "rising"),
        (lambda: MultiStep((30, 60)), "shares"),
        (lambda: MultiStep((float("nan"),)), "rising"),
        (lambda: MultiStep((0.5,), gamma=10.0), "gamma"),
        (lambda: Cosine(0.5), "at least 1"),
        (lambda: Cosine(float("nan")), "at least 1"),
        (lambda: WarmupCosine(1.0), "warmup"),
        (lambda: Cosine().rate(4, 4), "below total_steps"),
        (lambda: Constant().rate(-1, 4), "at least 0"),
        (lambda: schedule_optimizer(optimizer(0.1), Cosine(), 0), "total_steps"),
        (lambda: ScheduledConfig(warmup=0.2), "warmup"),
    ],
)
def test_what_is_not_a_schedule_is_refused(make, word):
    with pytest.raises(ValueError, match=word):
        make()


def test_fit_follows_the_schedule_of_its_configuration(monkeypatch):
    used = []
    original = torch.optim.SGD.step

    def step(self, *arguments):
        used.append(self.param_groups[0]["lr"])
        return original(self, *arguments)

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    fit(seeded_network(), tiny_dataset(), CONFIG, progress=False)
    assert used == pytest.approx([0.1] * 8 + [0.01] * 8)


def test_a_run_with_a_schedule_resumes_and_refuses_the_state_of_another_schedule(tmp_path):
    state = tmp_path / "state.pt"
    first = fit(seeded_network(), tiny_dataset(), CONFIG, resume=state, progress=False)
    assert fit(seeded_network(), tiny_dataset(), CONFIG, resume=state, progress=False) == first
    other = ScheduledConfig(epochs=2, batch_size=32, peak_lr=0.1, schedule=Cosine())
    with pytest.raises(ValueError, match="schedule"):
        fit(seeded_network(), tiny_dataset(), other, resume=state, progress=False)


def test_fit_records_the_accuracy_on_the_training_images():
    record = fit(seeded_network(), tiny_dataset(), CONFIG, progress=False)[0]
    assert 0 < record.train_top1 < 100
    assert record.train_top1 * 256 / 100 == pytest.approx(round(record.train_top1 * 256 / 100))


def test_records_without_a_training_accuracy_are_stored_as_they_were():
    old = EpochRecord(0, 2.0, 1.9, 40.0, 0.0, 0.75)
    new = EpochRecord(1, 1.0, 0.9, 60.0, 0.0, 0.75, train_top1=0.0)
    rows = records_to_json([old, new])
    assert ["train_top1" in row for row in rows] == [False, True]
    assert records_from_json(rows) == [old, new]
