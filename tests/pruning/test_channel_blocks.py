import copy

import pytest
import torch
from torch import nn

from labkit.models import VGG16
from labkit.pruning.channel_blocks import forward_in_batches, join_blocks, split_blocks
from labkit.pruning.channels import slice_channels

WIDTHS = (4, 5, 6, 4, 6, 5, 4, 6, 5, 4, 6, 8, 7)


def small_vgg(channels=WIDTHS):
    torch.manual_seed(3)
    model = VGG16(10, channels=channels)
    model(torch.randn(9, 3, 32, 32))  # moves the running statistics
    return model.eval()


def same_logits(first, second):
    images = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(5))
    return torch.allclose(first(images), second(images), atol=1e-5)


def test_a_network_that_was_split_and_joined_computes_the_same():
    model = small_vgg()
    joined = join_blocks(split_blocks(model), model)
    assert same_logits(joined, model)
    assert joined.state_dict().keys() == model.state_dict().keys()


def test_blocks_in_a_row_give_the_output_of_the_first_linear_layer():
    model, images = small_vgg(), torch.randn(2, 3, 32, 32)
    chained = nn.Sequential(*split_blocks(model))(images)
    assert chained.shape == (2, 512, 1, 1)
    assert torch.allclose(
        chained.flatten(1), model.classifier[0](model.features(images).flatten(1)), atol=1e-5
    )


def test_blocks_are_copies_in_evaluation_mode():
    model = small_vgg().train()
    before = copy.deepcopy(model.state_dict())
    blocks = split_blocks(model)
    for parameter in nn.Sequential(*blocks).parameters():
        parameter.data.zero_()
    assert all(torch.equal(model.state_dict()[name], value) for name, value in before.items())
    assert model.training
    assert not any(module.training for block in blocks for module in block.modules())


def test_channels_that_were_cut_between_blocks_are_cut_in_the_joined_network():
    model, kept = small_vgg(), torch.tensor([0, 2, 3])
    blocks = split_blocks(model)
    (convolution, norm, *_), after = blocks[12], blocks[13][0]
    for layer in (convolution, norm):
        for name, value in layer.state_dict().items():
            if value.ndim and name.startswith("running"):
                setattr(layer, name, value[kept])
            elif value.ndim:
                setattr(layer, name, nn.Parameter(value[kept]))
    convolution.out_channels = norm.num_features = after.in_channels = 3
    after.weight = nn.Parameter(after.weight[:, kept])
    everything = [torch.arange(width) for width in WIDTHS[:-1]]
    assert same_logits(join_blocks(blocks, model), slice_channels(model, [*everything, kept]))


def test_blocks_that_do_not_fit_together_are_refused_by_their_place():
    model = small_vgg()
    blocks = split_blocks(model)
    with pytest.raises(ValueError, match="14 in all, got 13"):
        join_blocks(blocks[1:], model)
    blocks[4][0].out_channels = 2
    with pytest.raises(ValueError, match="block 4 makes 2 channels, and block 5 reads 6"):
        join_blocks(blocks, model)


def test_only_a_vgg16_is_split():
    with pytest.raises(TypeError, match="got Linear"):
        split_blocks(nn.Linear(2, 2))


def test_batches_give_the_maps_of_all_images_without_gradients():
    block, maps = nn.Conv2d(2, 3, 3, padding=1), torch.randn(130, 2, 4, 4)
    got = forward_in_batches(block, maps)
    assert not got.requires_grad
    assert torch.allclose(got, block(maps), atol=1e-6)
