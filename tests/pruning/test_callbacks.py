import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import same_state, seeded_network, tiny_dataset

from labkit.models import prunable_weights
from labkit.pruning.callbacks import PruningCallback, linear_ramp
from labkit.pruning.magnitude import apply_masks, layer_masks, total_sparsity
from labkit.training import TrainConfig, fit

CONFIG = TrainConfig(epochs=3, batch_size=32, peak_lr=0.1)


@pytest.fixture(autouse=True)
def _on_the_cpu(monkeypatch):
    monkeypatch.setenv("LABKIT_DEVICE", "cpu")


def half(model):
    return layer_masks(model, 0.5)


def pretrained():
    """A network that an optimizer has moved already, as momentum needs."""
    model = seeded_network()
    fit(model, tiny_dataset(), CONFIG, progress=False)
    return model


def test_pruned_weights_stay_exactly_zero_under_momentum_and_weight_decay():
    model = pretrained()
    masks = half(model)
    fit(model, tiny_dataset(), CONFIG, callback=PruningCallback({0: half}), progress=False)
    for name, weight in prunable_weights(model).items():
        assert (weight[~masks[name]] == 0).all()
        assert (weight[masks[name]] != 0).all()
    assert total_sparsity(model) == 0.5


class PruneInTheMiddle(PruningCallback):
    """Prunes in epoch 1, when momentum is moving every weight."""

    def __init__(self, *, keeps):
        super().__init__({1: half})
        self.keeps = keeps

    def after_step(self, model):
        if self.keeps:
            super().after_step(model)


@pytest.mark.parametrize("keeps", [True, False])
def test_without_the_step_after_the_step_momentum_revives_what_was_pruned(keeps):
    model = pretrained()
    keeper = PruneInTheMiddle(keeps=keeps)
    fit(model, tiny_dataset(), CONFIG, callback=keeper, progress=False)
    assert (total_sparsity(model) == 0.5) is keeps
    if not keeps:
        assert total_sparsity(model) < 0.1


def test_masked_gradients_alone_do_not_keep_zeros_once_momentum_has_built_up():
    model = seeded_network()
    weights = list(prunable_weights(model).values())
    optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.9, weight_decay=5e-4)
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    optimizer.step()
    apply_masks(model, half(model))
    for weight in weights:
        weight.grad = torch.zeros_like(weight)  # the gradient of every weight is masked
    optimizer.step()
    assert total_sparsity(model) == 0.0
    keeper = PruningCallback({0: half})
    keeper.before_epoch(model, 0)
    optimizer.step()
    keeper.after_step(model)
    assert total_sparsity(model) == 0.5


def test_a_schedule_prunes_at_its_epochs_and_never_revives_a_weight():
    seen = []

    class Watch(PruningCallback):
        def after_step(self, model):
            super().after_step(model)
            seen.append({name: weight.detach() == 0 for name, weight in prunable_weights(model).items()})

    rules = {
        epoch: lambda model, share=share: layer_masks(model, share)
        for epoch, share in enumerate([0.25, 0.5])
    }
    fit(seeded_network(), tiny_dataset(), CONFIG, callback=Watch(rules), progress=False)
    for earlier, later in itertools.pairwise(seen):
        assert all((later[name] | ~earlier[name]).all() for name in earlier)
    shares = [float(zeros["5.weight"].float().mean()) for zeros in seen]
    assert shares == [0.25] * 8 + [0.5] * 16


def test_an_interrupted_run_continues_with_its_masks(tmp_path):
    class StopAtEpoch2(PruningCallback):
        def before_epoch(self, model, epoch):
            if epoch == 2:
                raise KeyboardInterrupt
            super().before_epoch(model, epoch)

    whole, resumed, state = seeded_network(), seeded_network(), tmp_path / "state.pt"
    fit(whole, tiny_dataset(), CONFIG, callback=PruningCallback({0: half}), progress=False)
    with pytest.raises(KeyboardInterrupt):
        fit(resumed, tiny_dataset(), CONFIG, callback=StopAtEpoch2({0: half}), resume=state, progress=False)
    resumed = seeded_network(seed=3)
    fit(resumed, tiny_dataset(), CONFIG, callback=PruningCallback({0: half}), resume=state, progress=False)
    assert same_state(whole, resumed)


def test_a_keeper_without_rules_keeps_the_zeros_a_model_came_with():
    model = seeded_network()
    apply_masks(model, half(model))
    fit(model, tiny_dataset(), CONFIG, callback=PruningCallback({}), progress=False)
    assert total_sparsity(model) == 0.5


# The ramp


@settings(deadline=None, derandomize=True)
@given(target=st.floats(0, 1), epochs=st.integers(1, 60))
def test_the_ramp_rises_by_equal_amounts_and_ends_at_its_target(target, epochs):
    ramp = linear_ramp(target, epochs)
    assert len(ramp) == epochs
    assert ramp == pytest.approx([target * (epoch + 1) / epochs for epoch in range(epochs)], abs=1e-11)
    assert ramp == sorted(ramp)
    assert all(0 <= share <= 1 for share in ramp)


@pytest.mark.parametrize("target", [-0.1, 1.1, 80, math.nan])
def test_a_target_outside_0_to_1_is_refused(target):
    with pytest.raises(ValueError, match=rf"target is a share in \[0, 1\], got {target}"):
        linear_ramp(target, 10)


@pytest.mark.parametrize("epochs", [0, -3])
def test_a_ramp_of_no_epochs_is_refused(epochs):
    with pytest.raises(ValueError, match=f"ramp_epochs must be at least 1, got {epochs}"):
        linear_ramp(0.8, epochs)
