import pytest
from tiny import same_state, seeded_network, tiny_dataset

from labkit.training.budget import TrainingBudget


@pytest.fixture(autouse=True)
def cpu(monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")


def test_calls_share_the_epochs_and_a_call_for_more_than_are_left_trains_nothing():
    budget, model = TrainingBudget(tiny_dataset(), epochs=3, batch_size=32), seeded_network(0)
    budget.train(model, 2, peak_lr=0.01)
    assert budget.epochs_left == 1
    with pytest.raises(ValueError, match="only 1 are left"):
        budget.train(model, 2, peak_lr=0.01)
    assert [len(records) for _, records in budget.calls] == [2]
    assert budget.epochs_left == 1


def test_a_budget_without_epochs_is_refused():
    with pytest.raises(ValueError, match="at least 1 epoch, got 0"):
        TrainingBudget(tiny_dataset(), epochs=0)


def test_the_functions_are_called_before_each_epoch_and_after_each_step():
    seen, steps = [], []
    budget, model = TrainingBudget(tiny_dataset(), epochs=2, batch_size=32), seeded_network(0)
    budget.train(
        model,
        2,
        peak_lr=0.01,
        before_epoch=lambda network, epoch: seen.append((network is model, epoch)),
        after_step=lambda network: steps.append(network is model),
    )
    assert seen == [(True, 0), (True, 1)]
    assert steps == [True] * (2 * -(-tiny_dataset().train.size // 32))


def test_a_teacher_changes_what_is_learned_and_stays_as_it_is():
    students, teacher = [seeded_network(1), seeded_network(1)], seeded_network(2)
    for student, who in zip(students, (None, teacher), strict=True):
        TrainingBudget(tiny_dataset(), epochs=1, batch_size=32).train(student, 1, peak_lr=0.05, teacher=who)
    assert not same_state(*students)
    assert same_state(teacher, seeded_network(2))


def test_each_call_draws_another_order_and_the_seed_decides_it():
    def state_after(seed, calls):
        model, budget = seeded_network(0), TrainingBudget(tiny_dataset(), calls, batch_size=32, seed=seed)
        for _ in range(calls):
            budget.train(model, 1, peak_lr=0.01)
        return model, [config.seed for config, _ in budget.calls]

    first, seeds = state_after(0, 2)
    assert len(set(seeds)) == 2
    assert same_state(first, state_after(0, 2)[0])
    assert not same_state(first, state_after(1, 2)[0])


def test_progress_is_told_per_epoch_and_only_if_asked_for(capsys):
    TrainingBudget(tiny_dataset(), 1, batch_size=32).train(seeded_network(0), 1, peak_lr=0.01)
    assert capsys.readouterr().out == ""
    TrainingBudget(tiny_dataset(), 2, batch_size=32, progress=True).train(
        seeded_network(0), 2, peak_lr=0.01
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "epoch 1 of 2"
    assert lines[1].startswith("epoch 2 of 2, about ")
    assert lines[2].endswith("0 epochs left")
