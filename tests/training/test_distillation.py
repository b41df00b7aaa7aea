from dataclasses import replace

import pytest
import torch
from tiny import same_state, seeded_network, tiny_dataset
from torch.nn import functional

from labkit.pruning.callbacks import PruningCallback
from labkit.pruning.magnitude import layer_masks, total_sparsity
from labkit.training import Callback, TrainConfig, fit
from labkit.training.distillation import Distiller, distillation_loss

CONFIG = TrainConfig(epochs=2, batch_size=32, peak_lr=0.1)


@pytest.fixture(autouse=True)
def cpu(monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")


def loss(logits, teacher, labels, weight=0.5, temperature=2.0):
    return distillation_loss(logits, teacher, labels, weight=weight, temperature=temperature)


def test_the_loss_is_the_weighted_sum_written_out_with_probabilities():
    generator = torch.Generator().manual_seed(0)
    logits, teacher = torch.randn(2, 5, 4, generator=generator, dtype=torch.float64)
    labels = torch.tensor([0, 1, 2, 3, 0])
    soft, target = (torch.softmax(x / 3, dim=1) for x in (logits, teacher))
    divergence = (target * (target / soft).log()).sum(dim=1).mean()
    plain = -torch.softmax(logits, dim=1)[torch.arange(5), labels].log().mean()
    expected = 0.3 * plain + 0.7 * 9 * divergence
    assert loss(logits, teacher, labels, 0.7, 3.0).item() == pytest.approx(expected.item(), rel=1e-12)


def test_without_weight_it_is_cross_entropy_and_with_all_weight_labels_do_not_matter():
    logits, teacher = torch.randn(2, 6, 4)
    labels = torch.arange(6) % 4
    assert loss(logits, teacher, labels, weight=0.0) == functional.cross_entropy(logits, labels)
    assert loss(logits, teacher, labels, weight=1.0) == loss(logits, teacher, labels.flip(0), weight=1.0)


def test_the_gradient_of_the_teachers_term_hardly_depends_on_a_high_temperature():
    base, teacher = torch.randn(2, 6, 4)
    sizes = []
    for temperature in (20.0, 200.0):
        logits = base.clone().requires_grad_()
        loss(logits, teacher, torch.zeros(6, dtype=torch.int64), 1.0, temperature).backward()
        sizes.append(logits.grad.norm().item())
    assert sizes[0] == pytest.approx(sizes[1], rel=0.15)


def test_the_teacher_stays_as_it_is_and_the_inner_callback_keeps_its_zeros():
    teacher, student = seeded_network(1), seeded_network(2)
    before = seeded_network(1)
    inner = PruningCallback({0: lambda model: layer_masks(model, 0.5)})
    fit(
        student,
        tiny_dataset(),
        CONFIG,
        callback=Distiller(teacher, weight=0.9, temperature=4.0, inner=inner),
    )
    assert same_state(teacher, before)
    assert teacher.training
    assert total_sparsity(student) == 0.5


def test_a_student_learns_what_the_teacher_says_where_labels_are_wrong():
    """With all weight on the teacher, shuffled labels change nothing."""
    data, teacher = tiny_dataset(), seeded_network(1)
    fit(teacher, data, CONFIG, progress=False)
    wrong = data.train._replace(labels=data.train.labels.flip(0))
    students = []
    for split in (data.train, wrong):
        students.append(seeded_network(2))
        callback = Distiller(teacher, weight=1.0, temperature=4.0, inner=Callback())
        fit(students[-1], replace(data, train=split), CONFIG, callback=callback, progress=False)
    assert same_state(*students)


@pytest.mark.parametrize(("weight", "temperature"), [(-0.1, 4.0), (1.1, 4.0), (0.5, 0.0), (0.5, -1.0)])
def test_a_weight_outside_0_to_1_or_a_temperature_not_above_0_is_refused(weight, temperature):
    with pytest.raises(ValueError, match=r"weight must be in \[0, 1\] and temperature positive"):
        Distiller(seeded_network(), weight=weight, temperature=temperature, inner=Callback())
