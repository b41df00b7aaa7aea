import pytest
import torch
from tiny import seeded_network, tiny_dataset
from torch import nn

from labkit.models.freezing import FixedBatchNorm2d, count_trainable, freeze_batch_norm, train_only
from labkit.models.lora import add_lora
from labkit.training import TrainConfig, fit

HEAD = r"5\..*"  # of the tiny network


def changed(model, before):
    """Names of the entries of the state dict that are no longer the same bits."""
    return {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}


def clone_of_state(model):
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def train(model):
    fit(model, tiny_dataset(), TrainConfig(epochs=2, batch_size=32, peak_lr=0.3), progress=False)


def test_training_changes_the_classifier_and_nothing_else_statistics_included():
    model = train_only(seeded_network(), HEAD)
    before = clone_of_state(model)
    train(model)
    assert changed(model, before) == {"5.weight", "5.bias"}


def test_without_fixed_statistics_they_would_drift():
    model = seeded_network()
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name.startswith("5."))
    before = clone_of_state(model)
    train(model)
    assert {"1.running_mean", "1.running_var", "1.num_batches_tracked"} < changed(model, before)


def test_with_lora_the_updates_and_the_classifier_change():
    model = add_lora(train_only(seeded_network(), HEAD), "0", rank=2)
    before = clone_of_state(model)
    train(model)
    assert changed(model, before) == {
        "0.parametrizations.weight.0.A",
        "0.parametrizations.weight.0.B",
        "5.weight",
        "5.bias",
    }


def test_a_fixed_batch_norm_keeps_names_values_and_outputs():
    model, images = seeded_network().eval(), torch.randn(8, 3, 32, 32)
    names, expected = list(model.state_dict()), model(images)
    freeze_batch_norm(model)
    assert isinstance(model[1], FixedBatchNorm2d)
    assert list(model.state_dict()) == names
    assert torch.equal(model.train()(images), expected)


def test_spared_batch_norms_keep_learning_statistics():
    model = seeded_network()
    freeze_batch_norm(model, spared={"1"})
    assert type(model[1]) is nn.BatchNorm2d


@pytest.mark.parametrize("model", [nn.BatchNorm2d(2), nn.Sequential(nn.BatchNorm1d(2))])
def test_a_batch_norm_that_cannot_be_replaced_is_named(model):
    with pytest.raises(ValueError, match=r"BatchNorm.*cannot be kept fixed"):
        freeze_batch_norm(model)


def test_a_pattern_that_matches_nothing_is_refused_and_nothing_is_frozen():
    model = seeded_network()
    with pytest.raises(ValueError, match=r"'fc\.\*'"):
        train_only(model, "fc.*")
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_a_tied_parameter_counts_once():
    first, second = nn.Linear(3, 3), nn.Linear(3, 3)
    second.weight = first.weight
    second.bias.requires_grad_(False)
    assert count_trainable(nn.Sequential(first, second)) == 9 + 3
