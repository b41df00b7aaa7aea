import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from labkit.data.augment import normalize, random_crop, random_flip


def random_images(n=40, size=32, seed=0):
    return torch.randint(1, 256, (n, 3, size, size), generator=torch.Generator().manual_seed(seed)).to(
        torch.uint8
    )


def possible_crops(image, padding):
    """Return every crop of one zero-padded image, shifted pixel by pixel."""
    size = image.shape[-1]
    padded = np.zeros((3, size + 2 * padding, size + 2 * padding), np.uint8)
    padded[:, padding : padding + size, padding : padding + size] = image.numpy()
    shifts = range(2 * padding + 1)
    return {
        (top, left): padded[:, top : top + size, left : left + size] for top in shifts for left in shifts
    }


@settings(deadline=None, derandomize=True, max_examples=25)
@given(seed=st.integers(0, 2**31), padding=st.integers(0, 4), n=st.integers(1, 5), size=st.integers(2, 9))
def test_each_crop_is_one_shift_of_its_own_padded_image(seed, padding, n, size):
    images = random_images(n, size, seed)
    crops = random_crop(images, torch.Generator().manual_seed(seed), padding=padding)
    assert crops.shape == images.shape
    assert crops.dtype == torch.uint8
    for image, crop in zip(images, crops, strict=True):
        assert any(np.array_equal(crop.numpy(), c) for c in possible_crops(image, padding).values())


def test_a_batch_is_cropped_as_a_loop_over_the_images_with_the_same_offsets_would():
    images = random_images()
    crops = random_crop(images, torch.Generator().manual_seed(3))
    offsets = torch.randint(9, (2, len(images), 1), generator=torch.Generator().manual_seed(3))
    for index, image in enumerate(images):
        top, left = int(offsets[0, index]), int(offsets[1, index])
        assert np.array_equal(crops[index].numpy(), possible_crops(image, 4)[top, left])


def test_every_shift_from_minus_4_to_4_pixels_occurs_in_both_directions():
    images = torch.zeros(2_000, 1, 32, 32, dtype=torch.uint8)
    images[:, :, 16, 16] = 255
    crops = random_crop(images, torch.Generator().manual_seed(0))
    _, _, rows, columns = crops.nonzero(as_tuple=True)
    assert len(rows) == 2_000
    assert torch.bincount(rows - 12).shape == torch.bincount(columns - 12).shape == (9,)
    counts = torch.bincount((rows - 12) * 9 + (columns - 12), minlength=81)
    assert counts.min() > 0


def test_about_half_of_the_images_are_mirrored_and_the_others_are_untouched():
    images = random_images(400)
    flipped = random_flip(images, torch.Generator().manual_seed(0))
    mirrored = [bool(torch.equal(new, old.flip(-1))) for new, old in zip(flipped, images, strict=True)]
    kept = [bool(torch.equal(new, old)) for new, old in zip(flipped, images, strict=True)]
    assert all(a != b for a, b in zip(mirrored, kept, strict=True))
    assert 150 < sum(mirrored) < 250


@pytest.mark.parametrize("operation", [random_crop, random_flip])
def test_the_generator_alone_decides_and_the_input_is_not_modified(operation):
    images = random_images()
    before = images.clone()
    first = operation(images, torch.Generator().manual_seed(5))
    torch.manual_seed(99)
    assert torch.equal(operation(images, torch.Generator().manual_seed(5)), first)
    assert not torch.equal(operation(images, torch.Generator().manual_seed(6)), first)
    assert torch.equal(images, before)


def test_normalize_agrees_with_numpy_and_is_channels_last():
    images, mean, std = random_images(), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)
    got = normalize(images, mean, std)
    pixels = images.numpy().astype(np.float64) / 255
    expected = (pixels - np.reshape(mean, (1, 3, 1, 1))) / np.reshape(std, (1, 3, 1, 1))
    assert got.dtype == torch.float32
    assert got.is_contiguous(memory_format=torch.channels_last)
    np.testing.assert_allclose(got.numpy(), expected, atol=2e-6)


def test_normalize_leaves_its_input_alone_whatever_its_memory_layout():
    for images in (random_images(), random_images().to(memory_format=torch.channels_last)):
        before = images.clone()
        normalize(images, (0.5,) * 3, (0.25,) * 3)
        assert torch.equal(images, before)
