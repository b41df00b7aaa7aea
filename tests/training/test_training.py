import itertools
import math
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import same_state, seeded_network, tiny_dataset
from torch import nn

from labkit.data import Split
from labkit.training import Callback, Cut, EpochRecord, TrainConfig, evaluate, fit, loop, step_timing
from labkit.training.distillation import Distiller
from labkit.training.evaluate import top_k_hits
from labkit.training.live import training_batches
from labkit.training.loop import loss_prefix
from labkit.training.step_timing import estimate_seconds

CONFIG = TrainConfig(epochs=3, batch_size=32, peak_lr=0.1)


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")


class Stop(Callback):
    """Raises KeyboardInterrupt after ``steps`` steps, as Ctrl-C would."""

    def __init__(self, steps):
        self.left = steps

    def after_step(self, model):  # noqa: ARG002
        self.left -= 1
        if self.left < 0:
            raise KeyboardInterrupt


class Recorder(Callback):
    """Record every call."""

    def __init__(self):
        self.calls = []

    def before_epoch(self, model, epoch):  # noqa: ARG002
        self.calls.append(epoch)

    def after_step(self, model):
        assert model.training
        self.calls.append("step")


def losses_of(records):
    return [(record.epoch, record.train_loss, record.validation_loss) for record in records]


# The loop


def test_the_same_seed_gives_the_same_losses_and_the_same_weights():
    first, second = seeded_network(), seeded_network()
    records = [fit(model, tiny_dataset(), CONFIG, progress=False) for model in (first, second)]
    assert losses_of(records[0]) == losses_of(records[1])
    assert same_state(first, second)


def test_the_result_does_not_depend_on_the_global_random_state():
    first, second = seeded_network(), seeded_network()
    fit(first, tiny_dataset(), CONFIG, progress=False)
    torch.manual_seed(99)
    np.random.seed(99)  # noqa: NPY002
    fit(second, tiny_dataset(), CONFIG, progress=False)
    assert same_state(first, second)


# Short epochs, and estimates


def test_a_short_epoch_draws_so_many_images_at_random_and_other_ones_each_time():
    dataset = replace(tiny_dataset(train=256), epoch_images=96)
    drawn = [
        torch.cat([labels for _, labels in training_batches(dataset, batch_size=32, seed=seed)])
        for seed in (0, 1)
    ]
    assert [len(labels) for labels in drawn] == [96, 96]
    assert not torch.equal(*drawn)
    recorder = Recorder()
    config = TrainConfig(epochs=2, batch_size=32, peak_lr=0.1)
    (first, _) = fit(seeded_network(), dataset, config, callback=recorder, progress=False)
    assert recorder.calls == [0, *["step"] * 3, 1, *["step"] * 3]
    assert 0 < first.train_top1 <= 100
    assert (first.train_top1 * 96 / 100) % 1 == pytest.approx(0, abs=1e-9)


def test_an_epoch_is_never_longer_than_the_data():
    whole, capped = tiny_dataset(), replace(tiny_dataset(), epoch_images=9_000)
    records = [fit(seeded_network(), dataset, CONFIG, progress=False) for dataset in (whole, capped)]
    assert losses_of(records[0]) == losses_of(records[1])


def test_with_short_epochs_only_the_last_is_judged_by_all_validation_images(monkeypatch):
    judged = []
    original = loop.evaluate
    monkeypatch.setattr(
        loop, "evaluate", lambda *arguments: judged.append(arguments[2].size) or original(*arguments)
    )
    dataset = tiny_dataset(held=1_050, train=64)
    fit(seeded_network(), dataset, CONFIG, progress=False)
    fit(seeded_network(), replace(dataset, epoch_images=32), CONFIG, progress=False)
    assert judged == [1_050, 1_050, 1_050, 1_000, 1_000, 1_050]


def test_an_estimate_changes_neither_the_model_nor_the_training_after_it():
    dataset, models = tiny_dataset(), [seeded_network(), seeded_network()]
    teacher = Distiller(seeded_network(1), weight=0.5, temperature=2.0, inner=Callback())
    before = torch.random.get_rng_state()
    estimate_seconds(models[1], dataset, CONFIG, callback=teacher)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert same_state(*models)
    assert all(parameter.grad is None for parameter in models[1].parameters())
    records = [fit(model, dataset, CONFIG, progress=False) for model in models]
    assert losses_of(records[0]) == losses_of(records[1])
    assert same_state(*models)


class Slow(nn.Module):
    """A network whose forward pass takes ten milliseconds of ``clock`` in training, one in evaluation."""

    clock = 0.0

    def __init__(self):
        super().__init__()
        self.inner = seeded_network()

    def forward(self, inputs):
        Slow.clock += 0.01 if self.training else 0.001
        return self.inner(inputs)


def test_an_estimate_counts_the_steps_of_all_epochs_and_their_evaluations(monkeypatch):
    monkeypatch.setattr(step_timing, "time", SimpleNamespace(perf_counter=lambda: Slow.clock))
    config = TrainConfig(epochs=50, batch_size=32, peak_lr=0.1)  # of 8 steps; 64 validation images, a batch
    assert estimate_seconds(Slow(), tiny_dataset(), config) == pytest.approx(50 * (8 * 0.01 + 0.001))
    short = replace(tiny_dataset(), epoch_images=64)
    assert estimate_seconds(Slow(), short, config) == pytest.approx(50 * (2 * 0.01 + 0.001))
    single = replace(tiny_dataset(), epoch_images=32)
    assert estimate_seconds(Slow(), single, config) == pytest.approx(50 * (0.01 + 0.001))


def test_the_bar_counts_steps_so_the_time_left_is_known_before_the_first_epoch_ends(capsys):
    fit(seeded_network(), tiny_dataset(), CONFIG)
    assert re.search(r"epoch 3 of 3: 100%.* 24/24 .*step/s", capsys.readouterr().err)


def test_another_seed_gives_other_weights():
    first, second = seeded_network(), seeded_network()
    fit(first, tiny_dataset(), CONFIG, progress=False)
    fit(second, tiny_dataset(), TrainConfig(epochs=3, batch_size=32, peak_lr=0.1, seed=1), progress=False)
    assert not same_state(first, second)


def test_training_learns_what_the_images_show():
    model, dataset = seeded_network(), tiny_dataset()
    before = evaluate(model, dataset, dataset.validation)
    records = fit(model, dataset, TrainConfig(epochs=8, batch_size=32, peak_lr=0.2), progress=False)
    assert records[-1].validation_top1 > before.top1 + 30
    assert records[-1].train_loss < records[0].train_loss
    after = evaluate(model, dataset, dataset.validation)
    assert (after.loss, after.top1) == (records[-1].validation_loss, records[-1].validation_top1)


def test_flips_change_the_training_where_labels_allow_them():
    first, second = seeded_network(), seeded_network()
    fit(first, tiny_dataset(), CONFIG, progress=False)
    fit(second, tiny_dataset(flip=True), CONFIG, progress=False)
    assert not same_state(first, second)


def test_one_step_in_float32_is_sgd_with_nesterov_momentum_and_weight_decay(monkeypatch):
    monkeypatch.setattr("labkit.training.loop.has_fast_bf16", lambda _: False)
    config = TrainConfig(epochs=1, batch_size=64, peak_lr=0.3, warmup=0.0)
    dataset = tiny_dataset(train=64)
    model, captured = seeded_network(), {}

    class Capture(Callback):
        def after_step(self, model):
            captured.update({name: value.grad.clone() for name, value in model.named_parameters()})

    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    fit(model, dataset, config, callback=Capture(), progress=False)
    for name, value in model.named_parameters():
        gradient = captured[name] + 5e-4 * before[name]
        torch.testing.assert_close(value.detach(), before[name] - 0.3 * (gradient + 0.9 * gradient))


def test_callbacks_come_before_each_epoch_and_after_each_step():
    recorder = Recorder()
    fit(seeded_network().eval(), tiny_dataset(train=70), CONFIG, callback=recorder, progress=False)
    assert recorder.calls == [
        0,
        "step",
        "step",
        "step",
        1,
        "step",
        "step",
        "step",
        2,
        "step",
        "step",
        "step",
    ]


def test_every_training_image_is_used_once_per_epoch_in_a_different_order():
    dataset, seen = tiny_dataset(train=70), []
    dataset.train.images[:] = torch.arange(70).view(-1, 1, 1, 1)  # a shift leaves the centre as it is

    class Watch(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = seeded_network()

        def forward(self, x):
            if self.training:
                grey = (x[:, 0, 16, 16] * dataset.std[0] + dataset.mean[0]) * 255
                seen.append(grey.round().int().tolist())
            return self.net(x)

    fit(Watch(), dataset, TrainConfig(epochs=2, batch_size=32), progress=False)
    assert [len(batch) for batch in seen] == [32, 32, 6, 32, 32, 6]
    first, second = (list(itertools.chain(*seen[start : start + 3])) for start in (0, 3))
    assert sorted(first) == sorted(second) == list(range(70))
    assert first != second


def test_records_contain_the_share_of_prunable_weights_at_zero():
    class ZeroConvolution(Callback):
        def after_step(self, model):
            model[0].weight.data.zero_()

    records = fit(
        seeded_network(), tiny_dataset(train=40), CONFIG, callback=ZeroConvolution(), progress=False
    )
    assert [record.sparsity for record in records] == [162 / (162 + 24)] * 3
    assert [record.epoch for record in records] == [0, 1, 2]
    assert all(record.seconds > 0 for record in records)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_stops_training_and_says_where(bad):
    class Poison(Callback):
        def __init__(self):
            self.step = 0

        def after_step(self, model):
            self.step += 1
            if self.step == 10:
                model[5].bias.data.fill_(bad)

    with pytest.raises(FloatingPointError, match="at epoch 1, step 2; lower peak_lr"):
        fit(seeded_network(), tiny_dataset(), CONFIG, callback=Poison(), progress=False)


def test_the_loss_prefix_is_what_fit_sees_in_its_first_steps():
    losses = loss_prefix(seeded_network(), tiny_dataset(), CONFIG, steps=8, images=32)
    records = fit(seeded_network(), tiny_dataset(), CONFIG, progress=False)
    assert sum(losses) / 8 == pytest.approx(records[0].train_loss, abs=1e-4)  # bf16 or float32 there


def test_the_loss_prefix_is_in_float64_even_with_a_teacher():
    model, teacher = seeded_network(), seeded_network(seed=1)
    callback = Distiller(teacher, weight=0.5, temperature=2.0, inner=Callback())
    losses = loss_prefix(model, tiny_dataset(), CONFIG, callback=callback)
    assert len(losses) == 4
    assert {p.dtype for network in (model, callback.teacher) for p in network.parameters()} == {
        torch.float64
    }
    assert {p.dtype for p in teacher.parameters()} == {torch.float32}
    assert losses != [float(np.float32(loss)) for loss in losses]


def test_the_loss_prefix_ends_with_the_epoch_and_calls_back_as_training_does():
    recorder = Recorder()
    assert len(loss_prefix(seeded_network(), tiny_dataset(), CONFIG, callback=recorder, steps=20)) == 8
    assert recorder.calls == [0, *["step"] * 8]
    assert len(loss_prefix(seeded_network(), tiny_dataset(train=40), CONFIG, steps=20)) == 2


# Interruption


@pytest.mark.parametrize("steps", [8, 11, 15, 16])
def test_a_resumed_run_ends_with_the_bits_of_an_uninterrupted_one(tmp_path, steps):
    whole, state = seeded_network(), tmp_path / "state.pt"
    expected = fit(whole, tiny_dataset(), CONFIG, progress=False)
    with pytest.raises(KeyboardInterrupt):
        fit(seeded_network(), tiny_dataset(), CONFIG, callback=Stop(steps), resume=state, progress=False)
    assert state.is_file()
    resumed = seeded_network(seed=5)
    recorder = Recorder()
    records = fit(resumed, tiny_dataset(), CONFIG, callback=recorder, resume=state, progress=False)
    assert same_state(resumed, whole)
    assert losses_of(records) == losses_of(expected)
    assert recorder.calls[0] == steps // 8


def test_an_interruption_in_the_first_epoch_leaves_nothing_to_resume(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        fit(
            seeded_network(),
            tiny_dataset(),
            CONFIG,
            callback=Stop(3),
            resume=tmp_path / "state.pt",
            progress=False,
        )
    assert list(tmp_path.iterdir()) == []


def test_a_finished_run_is_not_trained_further(tmp_path):
    first, second = seeded_network(), seeded_network(seed=5)
    records = fit(first, tiny_dataset(), CONFIG, resume=tmp_path / "state.pt", progress=False)
    again = fit(second, tiny_dataset(), CONFIG, resume=tmp_path / "state.pt", progress=False)
    assert again == records
    assert same_state(first, second)


@pytest.mark.parametrize("damage", ["truncated", "foreign", "empty", "of another network"])
def test_a_state_that_cannot_be_resumed_is_refused_with_the_remedy(tmp_path, damage):
    state = tmp_path / "state.pt"
    fit(seeded_network(classes=5), tiny_dataset(classes=5), CONFIG, resume=state, progress=False)
    content = state.read_bytes()
    wrong = {"truncated": content[:-500], "foreign": b"GIF89a" * 99, "empty": b""}
    state.write_bytes(wrong.get(damage, content))
    with pytest.raises(ValueError, match=r"state\.pt .*delete it"):
        fit(seeded_network(), tiny_dataset(), CONFIG, resume=state, progress=False)


@pytest.mark.parametrize(
    ("changes", "other", "message"),
    [
        ({"peak_lr": 0.2}, {}, r"peak_lr is 0\.1 in the file, but 0\.2 was asked for"),
        ({"epochs": 4, "seed": 1}, {}, r"epochs is 3 .* but 4 .*, seed is 0 .* but 1 "),
        ({}, {"name": "folder-mine"}, r"dataset is 'tiny' .* but 'folder-mine' was asked for"),
    ],
)
def test_a_run_with_another_configuration_is_not_resumed_but_told_what_differs(
    tmp_path, changes, other, message
):
    state, dataset = tmp_path / "state.pt", tiny_dataset(train=64)
    with pytest.raises(KeyboardInterrupt):
        fit(seeded_network(), dataset, CONFIG, callback=Stop(3), resume=state, progress=False)
    with pytest.raises(ValueError, match=rf"state\.pt .*{message}.*delete it"):
        fit(
            seeded_network(),
            replace(dataset, **other),
            replace(CONFIG, **changes),
            resume=state,
            progress=False,
        )


def test_a_run_configured_with_numpy_numbers_is_resumed(tmp_path):
    config = replace(CONFIG, epochs=np.int64(3), peak_lr=np.float64(0.1))
    options = {"resume": tmp_path / "state.pt", "progress": False}
    first = fit(seeded_network(), tiny_dataset(train=64), config, **options)
    assert fit(seeded_network(), tiny_dataset(train=64), CONFIG, **options) == first


def test_a_model_stays_as_it_is_if_a_state_is_refused(tmp_path):
    state, model = tmp_path / "state.pt", seeded_network()
    data = tiny_dataset(classes=5, train=64)
    fit(seeded_network(seed=1, classes=5), data, CONFIG, resume=state, progress=False)
    with pytest.raises(ValueError, match="RuntimeError"):
        fit(model, data, CONFIG, resume=state, progress=False)
    assert same_state(model, seeded_network())


# Small batches


class Standardized(nn.Sequential):
    """Batch normalization of one value per channel and image, with or without running statistics."""

    def __init__(self, *, track: bool = True):
        torch.manual_seed(0)
        norm = nn.BatchNorm1d(6, track_running_stats=track)
        super().__init__(nn.Flatten(), nn.Linear(3072, 6), norm, nn.Linear(6, 4))


@pytest.mark.parametrize(("train", "batches"), [(65, [32, 33]), (66, [32, 32, 2]), (33, [33])])
def test_a_last_batch_of_one_image_joins_the_batch_before_it(train, batches):
    sizes = []

    class Watch(Callback):
        def loss(self, inputs, logits, labels):
            sizes.append(len(inputs))
            return super().loss(inputs, logits, labels)

    model, dataset = Standardized(), tiny_dataset(train=train)
    teacher = Standardized(track=False)
    callback = Distiller(teacher, weight=0.5, temperature=2.0, inner=Callback())
    fit(model, dataset, TrainConfig(epochs=2, batch_size=32), callback=callback, progress=False)
    fit(model, dataset, TrainConfig(epochs=2, batch_size=32), callback=Watch(), progress=False)
    assert sizes == 2 * batches


def test_evaluation_does_not_end_at_a_last_batch_of_one_image():
    dataset = tiny_dataset(held=33)
    whole, parts = (
        evaluate(Standardized(track=False), dataset, dataset.test, batch_size=size) for size in (33, 32)
    )
    assert parts == whole


# Configuration and learning rate


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs must be at least 1, got 0"),
        ({"batch_size": 1}, "batch_size must be at least 2, got 1"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"warmup": 1.0}, r"warmup must be in \[0, 1\).* got 1\.0"),
        ({"warmup": -0.1}, r"warmup must be in \[0, 1\).* got -0\.1"),
        ({"peak_lr": 0.0}, r"peak_lr positive, got 0\.25, 0\.0"),
        ({"peak_lr": math.nan}, r"peak_lr positive, got 0\.25, nan"),
    ],
)
def test_a_configuration_that_cannot_train_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        TrainConfig(**options)


def test_a_configuration_cannot_be_changed_after_the_fact():
    with pytest.raises(AttributeError):
        TrainConfig().epochs = 5


@settings(deadline=None, derandomize=True)
@given(total=st.integers(2, 500), warmup=st.floats(0, 0.99), peak=st.floats(1e-4, 10))
def test_the_rate_rises_linearly_to_its_peak_and_then_only_falls(total, warmup, peak):
    config = TrainConfig(peak_lr=peak, warmup=warmup)
    rates = [config.learning_rate(step, total) for step in range(total)]
    top = max(1, round(warmup * total))
    np.testing.assert_allclose(rates[:top], np.linspace(peak / top, peak, top))
    cosine = peak * (1 + np.cos(np.pi * np.arange(total - top) / max(1, total - top))) / 2
    np.testing.assert_allclose(rates[top:], cosine, atol=1e-12 * peak)
    assert max(rates) == pytest.approx(peak)
    assert min(rates) > 0
    assert rates[top:] == sorted(rates[top:], reverse=True)


def test_fit_sets_the_scheduled_rate_at_every_step(monkeypatch):
    used = []
    original = torch.optim.SGD.step

    def step(self, *arguments):
        used.append(self.param_groups[0]["lr"])
        return original(self, *arguments)

    monkeypatch.setattr(torch.optim.SGD, "step", step)
    fit(seeded_network(), tiny_dataset(), CONFIG, progress=False)
    assert used == [CONFIG.learning_rate(step, 24) for step in range(24)]


# Evaluation


class Fixed(nn.Module):
    """Return the same logits for any images, row by row."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(logits)
        self.next = 0

    def forward(self, x):
        rows = self.logits[self.next : self.next + len(x)]
        self.next += len(x)
        return rows


def test_evaluation_agrees_with_numbers_worked_out_by_hand():
    dataset = tiny_dataset(classes=6)
    half = math.log(3.0)
    logits = torch.tensor(
        [[half, 0, 0, 0, 0, 0], [0, 0, half, 0, 0, 0], [5.0, 4, 3, 2, 1, 0], [5.0, 4, 3, 2, 1, 0]]
    )
    split = Split(torch.zeros(4, 3, 32, 32, dtype=torch.uint8), torch.tensor([0, 2, 4, 5]))
    result = evaluate(Fixed(logits), dataset, split, batch_size=3)
    geometric = math.log(sum(math.exp(k) for k in range(6)))
    expected = (2 * math.log(8 / 3) + (geometric - 1) + geometric) / 4
    assert result.loss == pytest.approx(expected, rel=1e-6)
    assert result.top1 == 50.0
    assert result.top5 == 75.0


def test_evaluation_agrees_with_numpy_and_does_not_depend_on_the_batch_size():
    model, dataset = seeded_network(), tiny_dataset(held=53)
    results = [evaluate(model, dataset, dataset.test, batch_size=size) for size in (7, 53, 500)]
    pixels = dataset.test.images.numpy() / 255.0
    inputs = (pixels - np.reshape(dataset.mean, (1, 3, 1, 1))) / np.reshape(dataset.std, (1, 3, 1, 1))
    with torch.no_grad():
        logits = model.eval()(torch.tensor(inputs, dtype=torch.float32)).numpy().astype(np.float64)
    labels = dataset.test.labels.numpy()
    loss = np.mean(np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(53), labels])
    for result in results:
        assert result.loss == pytest.approx(loss, rel=1e-5)
        assert result.top1 == pytest.approx(100 * np.mean(logits.argmax(axis=1) == labels))


def test_top_5_of_fewer_than_5_classes_is_every_image():
    dataset = tiny_dataset(classes=3)
    assert evaluate(seeded_network(classes=3), dataset, dataset.test).top5 == 100.0


@pytest.mark.parametrize("training", [True, False])
def test_evaluation_leaves_the_model_as_it_was(training):
    model, dataset = seeded_network().train(training), tiny_dataset()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    evaluate(model, dataset, dataset.validation)
    assert model.training is training
    assert all(torch.equal(model.state_dict()[key], value) for key, value in before.items())


@settings(deadline=None, derandomize=True, max_examples=50)
@given(n=st.integers(1, 20), classes=st.integers(1, 8), k=st.integers(1, 8), seed=st.integers(0, 99))
def test_top_k_hits_agree_with_a_ranking_in_numpy(n, classes, k, seed):
    k = min(k, classes)
    rng = np.random.default_rng(seed)
    logits = rng.permuted(np.tile(np.arange(classes, dtype=np.float32), (n, 1)), axis=1)  # no ties
    labels = rng.integers(classes, size=n)
    expected = sum(label in np.argsort(-row)[:k] for row, label in zip(logits, labels, strict=True))
    assert top_k_hits(torch.from_numpy(logits), torch.from_numpy(labels), k=k) == expected


def test_evaluation_is_in_float32_whatever_the_machine_offers(monkeypatch):
    monkeypatch.setattr("labkit.training.loop.has_fast_bf16", lambda _: True)
    model, dataset = seeded_network(), tiny_dataset()
    seen = []
    model.register_forward_hook(lambda _module, _inputs, output: seen.append(output.dtype))
    evaluate(model, dataset, dataset.test)
    assert set(seen) == {torch.float32}


def test_records_are_plain_data():
    record = fit(seeded_network(), tiny_dataset(train=40), TrainConfig(epochs=1), progress=False)[0]
    assert EpochRecord(**vars(record)) == record
    assert all(isinstance(value, int | float | tuple) for value in vars(record).values())


class _Lead(Callback):
    """Two epochs at a constant rate, and a record of every step's rate."""

    def __init__(self, rate=0.05, epochs=2):
        self.rate, self.epochs, self.epoch = rate, epochs, 0

    def before_epoch(self, model, epoch):  # noqa: ARG002
        self.epoch = epoch

    def constant_rate(self):
        return self.rate if self.epoch < self.epochs else None

    def cuts(self):
        return (Cut(0.5, 1.0, 2.0, 60.0, 10.0),) if self.epoch == 1 else ()


def _rates(monkeypatch, callback, **options):
    """The learning rate of every step of a training, and its records."""
    rates, step = [], torch.optim.SGD.step

    def noting(self, *arguments, **keywords):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *arguments, **keywords)

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.SGD, "step", noting)
        records = fit(
            seeded_network(), tiny_dataset(), CONFIG, callback=callback, progress=False, **options
        )
    return rates, records


def test_epochs_before_the_schedule_are_added_to_it_and_recorded_as_such(monkeypatch):
    plain, records = _rates(monkeypatch, None)
    assert {record.lead for record in records} == {False}
    rates, records = _rates(monkeypatch, _Lead())
    steps = len(plain) // CONFIG.epochs
    assert rates == [0.05] * 2 * steps + plain
    assert [record.lead for record in records] == [True] * 2 + [False] * CONFIG.epochs
    assert [record.epoch for record in records] == list(range(CONFIG.epochs + 2))
    assert [len(record.cuts) for record in records][:3] == [0, 1, 0]


@pytest.mark.parametrize("done", [1, 2, 3])
def test_a_training_interrupted_before_or_in_its_schedule_goes_on_as_if_it_had_not_been(
    monkeypatch, tmp_path, done
):
    rates, whole = _rates(monkeypatch, _Lead())
    calls, before_epoch = iter(range(99)), _Lead.before_epoch

    def interrupted(self, model, epoch):
        if next(calls) == done:
            raise KeyboardInterrupt
        before_epoch(self, model, epoch)

    with monkeypatch.context() as patch:
        patch.setattr(_Lead, "before_epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fit(seeded_network(), tiny_dataset(), CONFIG, callback=_Lead(), resume=tmp_path / "state")
    rest, records = _rates(monkeypatch, _Lead(), resume=tmp_path / "state")
    assert rest == rates[-len(rest) :]
    assert [replace(record, seconds=0.0) for record in records] == [
        replace(record, seconds=0.0) for record in whole
    ]
