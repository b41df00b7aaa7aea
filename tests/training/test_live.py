import re
from dataclasses import replace

import pytest
import torch
from tiny import same_state, seeded_network, tiny_dataset

from labkit.training import (
    EpochDots,
    TrainConfig,
    evaluate,
    fast_forward,
    fit,
    for_live_training,
    training_batches,
)


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")


def test_one_epoch_yields_every_label_once_in_an_order_that_the_seed_decides():
    dataset = tiny_dataset()
    epochs = [list(training_batches(dataset, batch_size=7, seed=seed)) for seed in (0, 0, 1)]
    labels = [torch.cat([labels for _, labels in epoch]) for epoch in epochs]
    assert torch.equal(labels[0], labels[1])
    assert not torch.equal(labels[0], labels[2])
    assert labels[0].sort().values.tolist() == dataset.train.labels.sort().values.tolist()
    inputs = epochs[0][0][0]
    assert inputs.shape == (7, 3, 32, 32)
    assert inputs.dtype == torch.float32
    assert torch.equal(inputs, epochs[1][0][0])


@pytest.mark.parametrize(
    ("changes", "images"),
    [
        ({}, 16),
        ({"epoch_images": 8}, 8),
        ({"family": "cifar", "budget": "short"}, 16),
        ({"family": "cifar", "budget": "full"}, 40),
    ],
)
def test_live_epochs_are_short_unless_whole_ones_are_asked_for(changes, images):
    dataset = replace(tiny_dataset(train=40), **changes)
    batches = training_batches(for_live_training(dataset, images=16), batch_size=4)
    assert sum(len(labels) for _, labels in batches) == images


def test_without_a_label_nothing_is_printed(capsys):
    list(training_batches(tiny_dataset(), batch_size=16))
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("batch_size", [2, 5, 1000])
def test_the_line_of_progress_has_ten_dots_and_the_seconds(capsys, batch_size):
    list(training_batches(tiny_dataset(), batch_size=batch_size, label="epoch 1"))
    assert re.fullmatch(r"epoch 1 \(about \d+ s\) ·{10} \d+ s\n", capsys.readouterr().out)


def test_the_projects_own_loop_shows_the_same_line(capsys):
    dataset, config = tiny_dataset(), TrainConfig(epochs=1, batch_size=5, peak_lr=0.01)
    dots = EpochDots("3 bits", dataset, config)
    fit(seeded_network(), dataset, config, callback=dots, progress=False)
    assert re.fullmatch(r"3 bits \(about \d+ s\) ·{10} \d+ s\n", capsys.readouterr().out)


def test_several_epochs_of_the_projects_own_loop_have_a_line_each(capsys):
    dataset, config = tiny_dataset(), TrainConfig(epochs=2, batch_size=5, peak_lr=0.01)
    dots = EpochDots("2 bits", dataset, config)
    fit(seeded_network(), dataset, config, callback=dots, progress=False)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    for epoch, line in enumerate(lines, start=1):
        assert re.fullmatch(rf"2 bits, epoch {epoch} of 2 \(about \d+ s\) ·{{10}} \d+ s", line)


def test_a_fast_forward_pass_gives_float32_and_leaves_the_network_as_it_was():
    network, same = seeded_network().eval(), seeded_network().eval()
    dataset = tiny_dataset()
    inputs, _ = next(training_batches(dataset, batch_size=8))
    with fast_forward(network):
        outputs = network(inputs)
        outputs.sum().backward()
    assert outputs.dtype == torch.float32
    assert "forward" not in vars(network)
    assert all(parameter.grad is not None for parameter in network.parameters())
    with torch.no_grad():
        torch.testing.assert_close(outputs.detach(), same(inputs), atol=0.1, rtol=0.1)
    assert same_state(network, same)
    assert evaluate(network, dataset, dataset.test) == evaluate(same, dataset, dataset.test)


def test_after_an_error_the_forward_pass_is_the_ordinary_one_again():
    network = seeded_network()
    with pytest.raises(ValueError, match="stop"), fast_forward(network):
        raise ValueError("stop")
    assert "forward" not in vars(network)
