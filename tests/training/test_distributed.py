"""Two processes on the CPU, connected by gloo as torchrun would connect them, train one network."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny import tiny_dataset
from torch import nn

from labkit.training import TrainConfig, fit, loop
from labkit.training.distributed import ALONE, Workers, current_workers, sum_over_workers

CONFIG = TrainConfig(epochs=2, batch_size=33, peak_lr=0.05)  # an odd number, so shares differ

# What each process does: the recipes "plain" (no batch norm) and "normalized", by labkit's own train().
PROGRAM = """
import sys
import torch
from tiny import tiny_dataset, tiny_network
from torch import nn
from labkit.pruning.callbacks import StagedPruning
from labkit.pruning.magnitude import layer_masks
from labkit.recipes import Recipe, catalog, network, training
from labkit.training import TrainConfig, fit, loop
from labkit.training.distributed import current_workers, process_group

loop.has_fast_bf16 = lambda device: False
config = TrainConfig(epochs=2, batch_size=33, peak_lr=0.05)
recipe = Recipe("normalized", "tiny", "resnet20", None, (), config, (10,))
catalog.CATALOG = (recipe,)
network.build_network = lambda _, class_count: tiny_network(class_count)
training.load_dataset = lambda _: tiny_dataset()

torch.manual_seed(0)
plain = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(384, 4))
staged = StagedPruning(layer_masks, [0.5], [1.0], window=2)
with process_group():
    rank = current_workers().rank
    records = fit(plain, tiny_dataset(), config, progress=False)
    pruned = tiny_network()
    if rank:  # the weights of the first process count
        for parameter in pruned.parameters():
            nn.init.constant_(parameter, 0.1)
    fit(pruned, tiny_dataset(), config, callback=staged, progress=False)
    rows = training.train(["normalized"], (10,))
    weights = {name: value for name, value in pruned.named_parameters()}
    losses = [(record.train_loss, record.train_top1) for record in records]
    torch.save([plain.state_dict(), losses, weights, rows[0].made_now], f"{sys.argv[1]}/{rank}.pt")
"""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """What each of two processes ends with, and the home in which they wrote."""
    folder = tmp_path_factory.mktemp("two")
    helpers = Path(__file__).resolve().parents[1] / "helpers"
    environment = os.environ | {
        "LABKIT_DEVICE": "cpu",
        "LABKIT_HOME": str(folder),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(free_port()),
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": os.pathsep.join([str(helpers), str(helpers.parents[1])]),
        "WORLD_SIZE": "2",
    }
    command = [sys.executable, "-c", PROGRAM, str(folder)]
    processes = [
        subprocess.Popen(
            command, env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)}, stderr=subprocess.PIPE
        )
        for rank in (0, 1)
    ]
    try:
        errors = [process.communicate(timeout=600)[1].decode() for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
            process.stderr.close()
    assert [process.returncode for process in processes] == [0, 0], errors
    return [torch.load(folder / f"{rank}.pt") for rank in (0, 1)], folder


@pytest.mark.heavy
def test_two_processes_take_the_steps_of_one(two, monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")
    monkeypatch.setattr(loop, "has_fast_bf16", lambda _: False)
    (first, _), _ = two
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 6, 3, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(384, 4))
    records = fit(plain, tiny_dataset(), CONFIG, progress=False)
    for name, value in plain.state_dict().items():
        torch.testing.assert_close(first[0][name], value, rtol=1e-3, atol=1e-5)
    assert [loss for loss, _ in first[1]] == pytest.approx(
        [record.train_loss for record in records], rel=1e-4
    )
    assert [top1 for _, top1 in first[1]] == pytest.approx(
        [record.train_top1 for record in records], abs=0.5
    )


@pytest.mark.heavy
def test_both_processes_end_with_the_same_weights_and_records(two):
    (first, second), _ = two
    for one, other in ((first[0], second[0]), (first[2], second[2])):
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert first[1] == second[1]


@pytest.mark.heavy
def test_the_first_process_writes_one_checkpoint(two):
    results, folder = two
    assert [made_now for *_, made_now in results] == [True, True]
    files = {path.name for path in (folder / "checkpoints" / "tiny").iterdir()}
    assert files == {"manifest.json", "normalized.safetensors"}
    assert '"processes": "2"' in (folder / "checkpoints" / "tiny" / "manifest.json").read_text()


def test_alone_nothing_is_exchanged():
    rows = torch.arange(5)
    assert current_workers() == ALONE
    assert ALONE.share(rows) is rows
    assert sum_over_workers(rows) is rows
    model = nn.Linear(2, 2)
    assert ALONE.parallel(model) is model


def test_shares_cover_a_batch_and_differ_by_at_most_one_row():
    rows = torch.arange(33)
    shares = [Workers(4, rank).share(rows) for rank in range(4)]
    assert torch.equal(torch.cat(shares), rows)
    assert [len(share) for share in shares] == [9, 8, 8, 8]


def test_a_batch_too_small_for_the_processes_is_refused():
    Workers(4, 0).require_images(8)
    with pytest.raises(ValueError, match="7 images cannot be divided among 4 processes"):
        Workers(4, 0).require_images(7)
