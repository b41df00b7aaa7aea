import numpy as np
import pytest
import torch

from labkit.data import load_dataset, photoletters
from labkit.data.dataset import images_per_class
from labkit.data.pasting import PARTS, checksum

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def built():
    return photoletters.build()


@pytest.fixture
def small(monkeypatch, tmp_path):
    """photoletters with 100 images per part, a matching checksum, and an empty data folder."""
    monkeypatch.setattr(photoletters, "SIZES", dict.fromkeys(PARTS, 100))
    monkeypatch.setattr(photoletters, "CHUNK", 100)
    monkeypatch.setattr(photoletters, "SHA256", checksum(photoletters.build()))
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    return tmp_path / "data" / "photoletters52.safetensors"


def test_the_built_bytes_are_the_recorded_ones(built):
    assert checksum(built) == photoletters.SHA256


def test_every_part_has_its_size_and_every_letter(built):
    for part in PARTS:
        assert built[f"{part}_images"].shape == (photoletters.SIZES[part], 3, 32, 32)
        assert set(built[f"{part}_labels"].tolist()) == set(range(52))


def test_no_image_occurs_in_two_parts(built):
    seen = [{image.tobytes() for image in built[f"{part}_images"]} for part in PARTS]
    assert len(set.union(*seen)) == sum(photoletters.SIZES.values())


def test_no_font_is_in_two_parts():
    fonts = [font for part in PARTS for font in photoletters.FONTS[part]]
    assert len(fonts) == len(set(fonts)) == 16


def test_a_label_names_the_letter_that_is_drawn(small, monkeypatch):
    blank = photoletters.render_letters

    def only_x(font_file, letters):
        pictures = blank(font_file, letters)
        pictures[[letter != "x" for letter in letters]] = 0
        return pictures

    del small
    monkeypatch.setattr(photoletters, "render_letters", only_x)
    with_x = photoletters.build()
    monkeypatch.setattr(photoletters, "render_letters", lambda *given: 0 * blank(*given))
    without = photoletters.build()
    changed = (with_x["train_images"] != without["train_images"]).any(axis=(1, 2, 3))
    is_x = with_x["train_labels"] == photoletters.CLASSES.index("x")
    assert is_x.any()
    assert np.array_equal(changed, is_x)


@pytest.mark.parametrize("family", ["photodigits", "cifar"])
def test_the_52_class_set_is_photoletters_whatever_the_family(small, monkeypatch, family):
    monkeypatch.setenv("LABKIT_DATASET", family)
    dataset = load_dataset(52)
    assert (dataset.name, dataset.classes[0], dataset.classes[-1]) == ("photoletters52", "A", "z")
    assert not dataset.flip
    assert small.is_file()


def test_other_fonts_are_refused_and_not_cached(small, monkeypatch):
    monkeypatch.setattr(photoletters, "SHA256", "0" * 64)
    with pytest.raises(RuntimeError, match=r"photoletters52 was built with SHA-256 .*matplotlib's fonts"):
        load_dataset(52)
    assert not small.exists()


def test_fewer_images_per_class_are_a_subset_that_the_seed_decides():
    dataset = load_dataset(10)
    few, more, other = (
        images_per_class(dataset, count, seed=seed) for count, seed in ((5, 1), (20, 1), (5, 2))
    )
    assert few.train.labels.bincount().tolist() == [5] * 10
    small, large = ({image.numpy().tobytes() for image in part.train.images} for part in (few, more))
    assert small < large
    assert not torch.equal(few.train.images, other.train.images)
    assert few.mean == dataset.mean
    assert few.validation is dataset.validation


@pytest.mark.parametrize("count", [0, 5_000])
def test_more_images_per_class_than_there_are_is_refused(count):
    with pytest.raises(
        ValueError, match=f"photodigits10: count must be from 1 to .*got {count}; add images"
    ):
        images_per_class(load_dataset(10), count, seed=0)
