"""Paired differences: what they are, and that shared digits make their standard error larger."""

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from labkit.data import load_dataset
from labkit.data.photodigits import digits_in_images, glyphs_of
from labkit.models import ResNet20
from labkit.training import correct_images, evaluate
from labkit.training.paired import image_sources, paired_difference

ALONE = np.arange(400)[:, None]


@pytest.fixture(scope="module")
def answers():
    """Two networks' answers on 400 images, 80 and 70 % correct, independent of each other."""
    rng = np.random.default_rng(0)
    return rng.random(400) < 0.8, rng.random(400) < 0.7


def test_the_difference_is_that_of_the_accuracies(answers):
    first, second = answers
    expected = 100 * (first.mean() - second.mean())
    assert paired_difference(first, second, ALONE).points == pytest.approx(expected)
    assert paired_difference(second, first, ALONE).points == pytest.approx(-expected)


def test_the_standard_error_of_independent_images_is_that_of_a_mean(answers):
    first, second = answers
    gain = 100 * (first.astype(float) - second)
    expected = gain.std(ddof=1) / np.sqrt(len(gain))
    standard_error = paired_difference(first, second, ALONE, resamples=4000).standard_error
    assert standard_error == pytest.approx(expected, rel=0.06)  # 4000 samples: 1.1 % per standard deviation


def test_images_of_the_same_digit_count_as_one(answers):
    """Each image five times: the standard error stays that of 400 images, not of 2,000."""
    first, second = (np.repeat(part, 5) for part in answers)
    alone = paired_difference(*answers, ALONE, resamples=4000).standard_error
    shared = paired_difference(first, second, np.repeat(ALONE, 5, axis=0), resamples=4000).standard_error
    ignored = paired_difference(first, second, np.arange(2000)[:, None], resamples=4000).standard_error
    assert shared == pytest.approx(alone, rel=0.06)
    assert ignored == pytest.approx(alone / np.sqrt(5), rel=0.06)


def test_two_digits_per_image_are_both_resampled(answers):
    _, second = answers
    rng = np.random.default_rng(1)
    pairs = rng.integers(20, size=(400, 2))
    # Whether the first network is right depends on the left digit alone, so only 20 facts stand behind it.
    right = rng.random(20) < 0.5
    alone = paired_difference(right[pairs[:, 0]], second, ALONE).standard_error
    shared = paired_difference(right[pairs[:, 0]], second, pairs).standard_error
    assert shared > 2 * alone


def test_equal_answers_differ_by_nothing(answers):
    assert paired_difference(answers[0], answers[0], ALONE) == (0.0, 0.0)


def test_shares_of_several_networks_may_be_compared():
    third = np.array([1.0, 2 / 3, 1 / 3, 0.0])
    assert paired_difference(third, np.zeros(4), ALONE[:4]).points == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("first", "second", "sources"),
    [
        ([1, 0], [1, 0, 1], ALONE[:3]),
        ([1, 0], [1, 0], ALONE[:3]),
        ([[1, 0]], [[1, 0]], ALONE[:1]),
        ([1, 0], [1, 0], np.arange(2)),
    ],
)
def test_answers_about_other_images_are_refused(first, second, sources):
    with pytest.raises(ValueError, match="must describe the same images"):
        paired_difference(first, second, sources)


def test_one_sample_is_refused():
    with pytest.raises(ValueError, match="resamples must be at least 2, got 1"):
        paired_difference([1], [0], ALONE[:1], resamples=1)


@pytest.mark.parametrize("class_count", [10, 100])
def test_the_digits_in_an_image_have_its_label(class_count):
    dataset = load_dataset(class_count)
    sources = image_sources(dataset, "test")
    values = load_digits().target[sources]
    labels = values[:, 0] if class_count == 10 else 10 * values[:, 0] + values[:, 1]
    assert torch.equal(torch.from_numpy(labels), dataset.test.labels)
    assert set(np.unique(sources)) <= set(glyphs_of("test").tolist())


def test_digits_of_an_unknown_part_are_refused():
    with pytest.raises(ValueError, match="no split 'exam'; there are train, validation, test"):
        digits_in_images("exam", 10)


def test_images_of_other_data_sets_are_their_own_sources():
    dataset = load_dataset(10)
    other = type(dataset)(**{**dataset.__dict__, "name": "cifar10"})
    assert image_sources(other, "validation").tolist() == [[row] for row in range(1000)]


def test_the_share_of_correct_images_is_the_accuracy():
    dataset = load_dataset(10)
    torch.manual_seed(0)
    model, small = ResNet20(10), type(dataset.test)(dataset.test.images[:50], dataset.test.labels[:50])
    hits = correct_images(model, dataset, small, batch_size=20)
    assert hits.shape == (50,)
    assert 100 * hits.mean() == pytest.approx(evaluate(model, dataset, small).top1)
