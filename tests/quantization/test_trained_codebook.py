import pytest
import torch
from tiny import seeded_network, tiny_dataset
from torch import nn
from torch.nn.utils import parametrize

from labkit.models import prunable_weights
from labkit.pruning.magnitude import apply_masks, layer_masks
from labkit.quantization.trained_codebook import CodebookCallback, cluster_layers, fit_codebooks
from labkit.quantization.weight_sharing import unshare_layers
from labkit.training import TrainConfig, fit

CONFIG = TrainConfig(epochs=3, batch_size=32, peak_lr=0.05)


@pytest.fixture(autouse=True)
def cpu(monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")


@pytest.fixture
def pruned():
    model = seeded_network()
    apply_masks(model, layer_masks(model, 0.5))
    return model


def latent(layer):
    return layer.parametrizations.weight.original


def test_a_layer_computes_with_the_nearest_level_and_the_model_stays_as_it_is(pruned):
    before = {name: weight.clone() for name, weight in prunable_weights(pruned).items()}
    clustered = cluster_layers(pruned, 3)
    for name, weight in prunable_weights(clustered).items():
        values = weight.unique()
        assert len(values) <= 4
        distance = (before[name].flatten()[:, None] - values).abs().min(dim=1).values
        kept = before[name].flatten() != 0
        assert torch.allclose((weight - before[name]).abs().flatten()[kept], distance[kept])
        assert torch.equal(prunable_weights(pruned)[name], before[name])


def test_pruned_weights_stay_zero_through_training_while_kept_ones_move(pruned):
    clustered = cluster_layers(pruned, 4)
    fit(clustered, tiny_dataset(), CONFIG, callback=CodebookCallback(), progress=False)
    for name, weight in prunable_weights(clustered).items():
        assert (weight[prunable_weights(pruned)[name] == 0] == 0).all()
        assert len(weight.unique()) <= 5
        assert not torch.equal(weight, prunable_weights(pruned)[name])


def test_gradients_pass_straight_through_except_where_a_mask_removed_the_weight():
    layer = nn.Linear(4, 2, bias=False)
    layer.weight.data = torch.tensor([[0.0, 1.0, 1.1, -2.0], [0.0, -2.2, 0.9, 0.0]])
    clustered = cluster_layers(layer, 2)
    clustered(torch.tensor([[1.0, 10.0, 100.0, 1000.0]])).sum().backward()
    expected = [[0.0, 10.0, 100.0, 1000.0], [0.0, 10.0, 100.0, 0.0]]
    assert latent(clustered).grad.tolist() == expected


def test_a_latent_weight_that_comes_near_zero_is_zero_and_may_return():
    layer = nn.Linear(4, 1, bias=False)
    layer.weight.data = torch.tensor([[1.0, 1.0, -1.0, -1.0]])
    clustered = cluster_layers(layer, 2)
    for value, expected in ((0.3, 0.0), (0.7, 1.0)):
        latent(clustered).data[0, 0] = value
        assert clustered.weight.tolist() == [[expected, 1.0, -1.0, -1.0]]


def test_fitting_moves_each_level_but_zero_to_the_mean_of_its_latent_weights():
    layer = nn.Linear(6, 1, bias=False)
    layer.weight.data = torch.tensor([[1.0, 1.0, -1.0, -1.0, 0.0, 1.0]])
    clustered = cluster_layers(layer, 2)
    latent(clustered).data = torch.tensor([[1.2, 1.0, -1.4, -1.0, 5.0, 0.1]])
    fit_codebooks(clustered)
    # 0.1 belongs to the level 0, which stays; the 5.0 was pruned and counts nowhere
    assert clustered.weight.flatten().tolist() == pytest.approx([1.1, 1.1, -1.2, -1.2, 0.0, 0.0])


def test_a_level_that_no_weight_uses_stays_where_it_is():
    layer = nn.Linear(4, 1, bias=False)
    layer.weight.data = torch.tensor([[1.0, 1.0, -1.0, -1.0]])
    clustered = cluster_layers(layer, 2)
    latent(clustered).data.fill_(-1.0)
    fit_codebooks(clustered)
    latent(clustered).data.fill_(0.9)
    assert (clustered.weight == 1.0).all()


@pytest.mark.parametrize("weight", [torch.zeros(2, 3), torch.ones(2, 3), torch.tensor([[0.0, 2.0, 0.0]])])
def test_all_zero_constant_and_nearly_empty_layers_keep_their_values(weight):
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data = weight.clone()
    clustered = cluster_layers(layer, 4)
    fit_codebooks(clustered)
    assert torch.equal(clustered.weight, weight)


def test_unsharing_gives_ordinary_layers_with_the_shared_values(pruned):
    clustered = cluster_layers(pruned, 3)
    plain = unshare_layers(clustered)
    assert plain.state_dict().keys() == pruned.state_dict().keys()
    assert not any(parametrize.is_parametrized(module) for module in plain.modules())
    for name, weight in prunable_weights(plain).items():
        assert torch.equal(weight, prunable_weights(clustered)[name])


@pytest.mark.parametrize(("clusters", "value"), [(0, 1.0), (2, float("nan"))])
def test_no_clusters_and_broken_weights_are_refused(clusters, value):
    layer = nn.Linear(2, 2)
    layer.weight.data.fill_(value)
    with pytest.raises(ValueError, match=r"clusters must be at least 1|NaN or infinite"):
        cluster_layers(layer, clusters)
