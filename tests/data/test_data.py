import hashlib
import http.server
import pickle
import tarfile
import threading

import numpy as np
import pytest
import sklearn.datasets
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from tiny import tiny_dataset
from torchvision.datasets import CIFAR10, CIFAR100

from labkit import cli
from labkit.data import Dataset, Split, class_counts, load_dataset, photodigits, prepare
from labkit.data.cifar import load_cifar
from labkit.data.dataset import channel_statistics, hold_out
from labkit.data.download import DownloadError
from labkit.data.folder import _read_image, load_folder
from labkit.data.photodigits import GLYPH_COUNTS, PARTS, SIZES, build, checksum, glyphs_of, photo_columns

pytestmark = pytest.mark.heavy

SMALL_SIZES = {count: dict.fromkeys(PARTS, 100) for count in (10, 100)}


@pytest.fixture(scope="module")
def built():
    """Both sets, as built on this machine."""
    return {class_count: build(class_count) for class_count in (10, 100)}


@pytest.fixture
def small(monkeypatch, tmp_path):
    """photodigits with 100 images per part, a matching checksum, and an empty data folder."""
    monkeypatch.setattr(photodigits, "SIZES", SMALL_SIZES)
    monkeypatch.setattr(photodigits, "CHUNK", 100)
    monkeypatch.setattr(photodigits, "SHA256", {10: checksum(build(10)), 100: checksum(build(100))})
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.delenv("LABKIT_DATASET", raising=False)
    return tmp_path / "data" / "photodigits10.safetensors"


# photodigits: what is built


@pytest.mark.parametrize("class_count", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_a_second_build_gives_the_same_bytes_and_they_are_the_recorded_ones(built, class_count):
    first, second = checksum(built[class_count]), checksum(build(class_count))
    assert first == second == photodigits.SHA256[class_count]


@pytest.mark.parametrize("class_count", [10, 100])
def test_the_parts_have_the_documented_sizes_types_and_classes(built, class_count):
    for part in PARTS:
        images, labels = built[class_count][f"{part}_images"], built[class_count][f"{part}_labels"]
        assert images.shape == (SIZES[class_count][part], 3, 32, 32)
        assert images.dtype == labels.dtype == np.uint8
        assert set(labels.tolist()) == set(range(class_count))
    assert set(built[class_count]) == {f"{part}_{kind}" for part in PARTS for kind in ("images", "labels")}


@pytest.mark.parametrize("class_count", [10, 100])
def test_no_image_occurs_in_two_parts(built, class_count):
    seen = [{image.tobytes() for image in built[class_count][f"{part}_images"]} for part in PARTS]
    assert len(set.union(*seen)) == sum(len(images) for images in seen)


def test_no_digit_is_in_two_parts():
    together = np.concatenate([glyphs_of(part) for part in PARTS])
    assert len(together) == len(set(together.tolist())) == sum(GLYPH_COUNTS.values())
    assert together.min() == 0
    assert together.max() == len(sklearn.datasets.load_digits().images) - 1


def test_no_two_parts_share_a_digit_with_the_same_pixels():
    images = sklearn.datasets.load_digits().images
    seen = [{images[index].tobytes() for index in glyphs_of(part)} for part in PARTS]
    assert len(set.union(*seen)) == sum(len(glyphs) for glyphs in seen)


@settings(deadline=None, derandomize=True)
@given(width=st.integers(2, 10_000))
def test_no_photo_column_is_in_train_and_test(width):
    columns = {part: set(range(*photo_columns(part, width))) for part in PARTS}
    assert not columns["test"] & (columns["train"] | columns["validation"])
    assert columns["test"] | columns["train"] == set(range(width))


@pytest.mark.usefixtures("small")
def test_what_the_test_half_of_the_photos_shows_changes_test_images_only(monkeypatch):
    before = build(10)
    photos = sklearn.datasets.load_sample_images()
    photos.images = [image.copy() for image in photos.images]
    for image in photos.images:
        image[:, image.shape[1] // 2 :] //= 2
    monkeypatch.setattr(sklearn.datasets, "load_sample_images", lambda: photos)
    after = build(10)
    for part in ("train", "validation"):
        assert np.array_equal(before[f"{part}_images"], after[f"{part}_images"])
    assert not np.array_equal(before["test_images"], after["test_images"])


@pytest.mark.usefixtures("small")
def test_what_a_parts_digits_look_like_changes_that_part_only(monkeypatch):
    before = build(10)
    for part in PARTS:
        digits = sklearn.datasets.load_digits()
        digits.images[glyphs_of(part)] = 0
        with monkeypatch.context() as patch:
            patch.setattr(sklearn.datasets, "load_digits", lambda digits=digits: digits)
            after = build(10)
        changed = [p for p in PARTS if not np.array_equal(before[f"{p}_images"], after[f"{p}_images"])]
        assert changed == [part]


@pytest.mark.usefixtures("small")
def test_labels_of_the_100_class_set_are_the_two_digits_from_left_to_right(monkeypatch):
    digits = sklearn.datasets.load_digits()
    digits.images[:] = 0
    digits.images[digits.target == 7] = 16  # only sevens show
    monkeypatch.setattr(sklearn.datasets, "load_digits", lambda: digits)
    with_sevens = build(100)
    digits.images[:] = 0
    without = build(100)
    labels = with_sevens["train_labels"]
    difference = with_sevens["train_images"].astype(int) - without["train_images"]
    inked = np.abs(difference).sum(axis=(1, 2)).reshape(-1, 2, 16)[:, :, 2:14].sum(axis=2)  # left, right
    sevens = np.stack([labels // 10 == 7, labels % 10 == 7], axis=1)
    assert inked[sevens].min() > inked[~sevens].max()


def test_photodigits_with_another_number_of_classes_is_refused():
    with pytest.raises(ValueError, match="got 26"):
        build(26)


# photodigits: the cache


@pytest.mark.usefixtures("small")
def test_the_loaded_set_is_the_built_one_and_its_statistics_come_from_train_alone():
    dataset, arrays = load_dataset(10), build(10)
    for part in PARTS:
        split = getattr(dataset, part)
        assert np.array_equal(split.images.numpy(), arrays[f"{part}_images"])
        assert np.array_equal(split.labels.numpy(), arrays[f"{part}_labels"])
    pixels = arrays["train_images"] / 255
    np.testing.assert_allclose(dataset.mean, pixels.mean(axis=(0, 2, 3)), atol=5.1e-5)
    np.testing.assert_allclose(dataset.std, pixels.std(axis=(0, 2, 3)), atol=5.1e-5)
    assert dataset.name == "photodigits10"
    assert dataset.classes == tuple("0123456789")
    assert not dataset.flip


@pytest.mark.usefixtures("small")
def test_classes_of_the_100_class_set_are_named_by_two_digits():
    assert load_dataset(100).classes[:11] == (
        "00",
        "01",
        "02",
        "03",
        "04",
        "05",
        "06",
        "07",
        "08",
        "09",
        "10",
    )


def test_a_valid_cache_is_read_and_not_built_again(small, monkeypatch):
    first = load_dataset(10)
    monkeypatch.setattr(photodigits, "build", lambda _: pytest.fail("built although cached"))
    assert torch.equal(load_dataset(10).test.images, first.test.images)
    assert [path.name for path in small.parent.iterdir()] == [small.name]


DAMAGES = {
    "empty": lambda _: b"",
    "truncated": lambda content: content[: len(content) // 2],
    "one_bit_flipped": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "foreign": lambda _: b"GIF89a" * 1_000,
    "another_set": lambda _: b"",
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_cache_is_built_again(small, damage):
    images = load_dataset(10).train.images
    content = small.read_bytes()
    small.write_bytes(DAMAGES[damage](content))
    if damage == "another_set":
        load_dataset(100)
        small.write_bytes(small.with_name("photodigits100.safetensors").read_bytes())
    assert torch.equal(load_dataset(10).train.images, images)
    assert small.read_bytes() == content


def test_a_build_with_other_bytes_is_refused_and_not_cached(small, monkeypatch):
    monkeypatch.setattr(photodigits, "SHA256", {10: "0" * 64})
    with pytest.raises(
        RuntimeError, match=r"photodigits10 was built with SHA-256 .* expected 0{64}.*constraints"
    ):
        load_dataset(10)
    assert not small.exists()


# Choosing a data set


@pytest.mark.parametrize("family", ["", "mnist", "photodigits10", "folder", "CIFAR"])
def test_an_unknown_data_set_is_refused_and_the_known_ones_are_named(monkeypatch, family):
    monkeypatch.setenv("LABKIT_DATASET", family)
    with pytest.raises(ValueError, match=f"LABKIT_DATASET='{family}'.*photodigits, cifar or folder:PATH"):
        load_dataset(10)


@pytest.mark.parametrize("family", ["photodigits", "cifar", "folder:somewhere"])
@pytest.mark.parametrize("class_count", [0, 2, 101])
def test_another_number_of_classes_is_refused(monkeypatch, family, class_count):
    monkeypatch.setenv("LABKIT_DATASET", family)
    with pytest.raises(ValueError, match=f"10 or 100, got {class_count}"):
        load_dataset(class_count)


# CIFAR: torchvision's own download and MD5 check, from a server on this machine


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


def cifar_files(class_count, seed=0):
    """Tiny batches in the format of the real ones, by file name."""
    rng = np.random.default_rng(seed)
    source, labels_key = {10: (CIFAR10, b"labels"), 100: (CIFAR100, b"fine_labels")}[class_count]
    batches = {}
    for name, _ in [*source.train_list, *source.test_list]:
        data = rng.integers(256, size=(20, 3 * 32 * 32), dtype=np.uint8)
        labels = rng.integers(class_count, size=20).tolist()
        batches[name] = {"data": data, labels_key.decode(): labels}
    names = [f"class {label}" for label in range(class_count)]
    return batches | {source.meta["filename"]: {source.meta["key"]: names}}


@pytest.fixture
def cifar_server(monkeypatch, tmp_path):
    """Serve tiny archives and let torchvision's classes expect them; return the raw batches."""
    served, batches = tmp_path / "served", {}
    served.mkdir()

    def md5(path):
        return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()

    handler = lambda *arguments: QuietHandler(*arguments, directory=str(served))  # noqa: E731
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    for source, class_count in ((CIFAR10, 10), (CIFAR100, 100)):
        batches[class_count] = cifar_files(class_count)
        folder = tmp_path / "made" / source.base_folder
        folder.mkdir(parents=True)
        for name, content in batches[class_count].items():
            (folder / name).write_bytes(pickle.dumps(content))
        with tarfile.open(served / source.filename, "w:gz") as archive:
            archive.add(folder, source.base_folder)
        sums = {name: md5(folder / name) for name in batches[class_count]}
        monkeypatch.setattr(source, "url", f"http://127.0.0.1:{server.server_port}/{source.filename}")
        monkeypatch.setattr(source, "tgz_md5", md5(served / source.filename))
        monkeypatch.setattr(source, "train_list", [[name, sums[name]] for name, _ in source.train_list])
        monkeypatch.setattr(source, "test_list", [[name, sums[name]] for name, _ in source.test_list])
        monkeypatch.setattr(source, "meta", source.meta | {"md5": sums[source.meta["filename"]]})
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield batches
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(("class_count", "batch_count"), [(10, 5), (100, 1)])
def test_cifar_is_downloaded_checked_and_divided(
    cifar_server, tmp_path, monkeypatch, class_count, batch_count
):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.setenv("LABKIT_DATASET", "cifar")
    dataset = load_dataset(class_count)
    files = list(cifar_server[class_count].values())
    train = np.concatenate([batch["data"] for batch in files[:batch_count]]).reshape(-1, 3, 32, 32)
    assert (dataset.name, dataset.flip) == (f"cifar{class_count}", True)
    assert dataset.classes[7] == "class 7"
    assert dataset.train.size == 18 * batch_count
    assert dataset.validation.size == 2 * batch_count
    got = torch.cat([dataset.train.images, dataset.validation.images]).numpy()
    assert {image.tobytes() for image in got} == {image.tobytes() for image in train}
    test = files[batch_count]
    assert np.array_equal(dataset.test.images.numpy(), test["data"].reshape(-1, 3, 32, 32))
    assert dataset.test.labels.tolist() == test.get("labels", test.get("fine_labels"))


@pytest.mark.usefixtures("cifar_server")
def test_cifar_for_chenyaofos_networks_has_his_statistics_and_another_name(tmp_path, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.setenv("LABKIT_DATASET", "cifar")
    own, own_results = load_dataset(100), prepare()
    monkeypatch.setenv("LABKIT_WEIGHTS", "chenyaofo")
    his, his_results = load_dataset(100), prepare()
    assert (own.name, his.name) == ("cifar100", "cifar100-chenyaofo")
    assert (his.mean, his.std) == ((0.5070, 0.4865, 0.4409), (0.2673, 0.2564, 0.2761))
    assert torch.equal(own.train.images, his.train.images)
    assert own_results == ("CIFAR", "cifar", "full")
    assert his_results == ("CIFAR with chenyaofo's networks", "cifar-chenyaofo", "full")


@pytest.mark.usefixtures("cifar_server")
def test_cifar_once_downloaded_is_read_without_the_server(tmp_path, monkeypatch):
    first = load_cifar(10, tmp_path / "data")
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/nothing-listens-here")
    assert torch.equal(load_cifar(10, tmp_path / "data").train.images, first.train.images)


@pytest.mark.usefixtures("cifar_server")
def test_a_cifar_archive_with_a_wrong_md5_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(CIFAR10, "tgz_md5", "0" * 32)
    with pytest.raises(
        DownloadError, match=r"CIFAR-10 is not on this computer.*corrupted.*LABKIT_DATASET=photodigits"
    ):
        load_cifar(10, tmp_path / "data")
    assert not (tmp_path / "data" / CIFAR10.base_folder).exists()


@pytest.mark.usefixtures("cifar_server")
def test_a_damaged_cifar_batch_is_restored_from_the_archive(tmp_path):
    first = load_cifar(10, tmp_path / "data")
    (tmp_path / "data" / CIFAR10.base_folder / "data_batch_3").write_bytes(b"damaged")
    assert torch.equal(load_cifar(10, tmp_path / "data").train.images, first.train.images)


@pytest.mark.usefixtures("cifar_server")
def test_a_cifar_batch_with_a_wrong_md5_inside_a_good_archive_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", "0" * 32]])
    with pytest.raises(DownloadError, match=r"CIFAR-10 is not on this computer.*corrupted"):
        load_cifar(10, tmp_path / "data")


@pytest.mark.usefixtures("cifar_server")
def test_cifar_without_a_network_says_how_to_work_offline(tmp_path, monkeypatch):
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/nothing-listens-here")
    with pytest.raises(
        DownloadError, match=r"Check the network.*LABKIT_DATASET=photodigits to work offline"
    ):
        load_cifar(10, tmp_path / "data")


def test_cifar_offline_is_one_line_on_the_command_line_and_in_a_notebook(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/nothing-listens-here")
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path))
    monkeypatch.setenv("LABKIT_DATASET", "cifar")
    assert cli.main(["train", "resnet20", "--classes", "10"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("labkit: CIFAR-10 is not on this computer")
    assert "refused" in error
    assert error.count("\n") == 1
    with pytest.raises(DownloadError) as caught:
        load_dataset(10)
    assert caught.value._render_traceback_() == [f"DownloadError: {caught.value}"]  # IPython shows this


def test_cifar_with_another_number_of_classes_is_refused(tmp_path):
    with pytest.raises(ValueError, match="CIFAR has 10 or 100 classes, not 20"):
        load_cifar(20, tmp_path)


# A folder of images

MODES = {"RGB": "png", "L": "png", "RGBA": "png", "P": "png", "1": "png", "CMYK": "jpg", "LA": "png"}


def write_images(folder, count, *, seed=0):
    """Noise of many sizes, modes and file formats."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for index in range(count):
        mode, suffix = list(MODES.items())[index % len(MODES)]
        size = rng.integers(1, 90, size=2)
        image = Image.fromarray(rng.integers(256, size=(*size, 3), dtype=np.uint8))
        image.convert(mode).save(folder / f"{index:03}.{suffix}")


@pytest.fixture
def tree(tmp_path):
    """Two classes, 14 training and 7 test images each."""
    for part, count in (("train", 14), ("test", 7)):
        for seed, name in enumerate(("cat", "dog")):
            write_images(tmp_path / "pets" / part / name, count, seed=seed)
    return tmp_path / "pets"


def test_a_folder_of_mixed_sizes_modes_and_formats_becomes_a_data_set(tree, monkeypatch):
    monkeypatch.setenv("LABKIT_DATASET", f"folder:{tree}")
    dataset = load_dataset(10)
    assert (dataset.name, dataset.classes, dataset.flip) == ("folder-pets", ("cat", "dog"), True)
    assert [split.size for split in (dataset.train, dataset.validation, dataset.test)] == [25, 3, 14]
    assert sorted(dataset.test.labels.tolist()) == [0] * 7 + [1] * 7
    assert (dataset.family, dataset.title) == ("folder", "folder pets")
    assert class_counts() == (10, 52)


def test_the_first_images_of_a_folder_are_of_all_classes(tmp_path):
    for part in ("train", "test"):
        for name in "abcd":
            (tmp_path / part / name).mkdir(parents=True)
            for index in range(20):
                image = Image.new("RGB", (32, 32), (index, "abcd".index(name), 9 * index))
                image.save(tmp_path / part / name / f"{index:02}.png")
    dataset = load_folder(tmp_path)
    for split in (dataset.train, dataset.test):
        assert set(split.labels[:20].tolist()) == {0, 1, 2, 3}
        assert torch.equal(split.images[:, 1, 0, 0].long(), split.labels)


def test_a_folder_is_shown_by_the_name_in_its_file_NAME(tree):
    (tree / "NAME").write_text("CIFAR-10 re-encoded as JPEG\n", encoding="utf-8")
    assert load_folder(tree).title == "CIFAR-10 re-encoded as JPEG"


@pytest.mark.parametrize("name", ["", " \n", "CIFAR-10", "cifar 100\n"])
def test_a_folder_must_not_have_the_name_of_another_data_set_or_none(tree, name):
    (tree / "NAME").write_text(name, encoding="utf-8")
    with pytest.raises(ValueError, match=r"NAME must hold a name of these images.*how they differ"):
        load_folder(tree)


def test_a_folder_has_one_set_and_says_which_labs_need_another(tree, monkeypatch):
    monkeypatch.setenv("LABKIT_DATASET", f"folder:{tree}")
    with pytest.raises(ValueError, match=r"has 2 classes, but a set with 100 .*labs 06 to 09"):
        load_dataset(100)


def test_the_budget_shortens_the_epochs_of_data_that_are_not_embedded(tree, monkeypatch):
    monkeypatch.setenv("LABKIT_DATASET", f"folder:{tree}")
    full = prepare()
    assert (load_dataset(10).epoch_images, full) == (None, ("folder pets", "folder-pets", "full"))
    monkeypatch.setenv("LABKIT_BUDGET", "steps")
    assert (load_dataset(10).epoch_images, load_dataset(10).store) == (9_000, "folder-pets-steps")
    assert load_dataset(10).images_per_epoch == 25  # there are no more
    assert prepare() == ("folder pets", "folder-pets-steps", "steps")
    monkeypatch.setenv("LABKIT_BUDGET", "long")
    with pytest.raises(ValueError, match=r"LABKIT_BUDGET='long' is not a budget.*full, steps, short"):
        load_dataset(10)


def test_a_photo_is_turned_upright_by_its_exif_orientation(tmp_path):
    picture = np.zeros((64, 64, 3), dtype=np.uint8)
    picture[:32] = 200  # the upper half is light
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera stored it turned by 90° to the left
    turned = Image.fromarray(np.ascontiguousarray(np.rot90(picture)))
    for name, options in (("turned.png", {"exif": exif}), ("damaged.png", {"exif": b"Exif\0\0broken"})):
        turned.save(tmp_path / name, **options)
    upright, as_stored = (_read_image(str(tmp_path / name)) for name in ("turned.png", "damaged.png"))
    assert upright[:, :14].min() > 150
    assert upright[:, 18:].max() < 50
    assert as_stored[:, :, :14].min() > 150


def test_a_relative_folder_is_looked_for_in_the_workbook_wherever_a_notebook_runs(tree, monkeypatch):
    monkeypatch.setenv("LABKIT_HOME", str(tree.parent))
    monkeypatch.chdir("/")
    for path in ("pets", "./pets/", "pets/../pets/train/.."):
        monkeypatch.setenv("LABKIT_DATASET", f"folder:{path}")
        assert load_dataset(10).name == "folder-pets"


def test_images_that_are_32_pixels_already_are_kept_pixel_for_pixel(tree):
    pixels = np.random.default_rng(0).integers(256, size=(32, 32, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tree / "test" / "cat" / "zzz.png")
    images = load_folder(tree).test.images.numpy()
    assert any(np.array_equal(image, pixels.transpose(2, 0, 1)) for image in images)


def test_a_folder_is_read_the_same_twice(tree):
    first, second = load_folder(tree), load_folder(tree)
    assert torch.equal(first.train.images, second.train.images)
    assert torch.equal(first.validation.labels, second.validation.labels)


def test_a_palette_with_transparency_keeps_its_colours_and_gives_no_warning(tree):
    palette = Image.new("P", (8, 8))
    palette.putpalette([200, 10, 10] * 256)
    palette.save(tree / "test" / "cat" / "zzz.png", transparency=bytes(range(256)))
    colours = [image.flatten(1).unique(dim=1).flatten().tolist() for image in load_folder(tree).test.images]
    assert [200, 10, 10] in colours


@pytest.mark.parametrize("dtype", [np.uint16, np.int32, np.float32])
def test_an_image_of_more_than_8_bits_is_refused_rather_than_truncated(tree, dtype):
    suffix = "png" if dtype == np.uint16 else "tif"
    Image.fromarray(np.full((8, 8), 40_000, dtype)).save(tree / "test" / "dog" / f"deep.{suffix}")
    with pytest.raises(
        ValueError, match=rf"deep\.{suffix} is not a readable image \(mode [IF].*more than 8 bits"
    ):
        load_folder(tree)


def test_files_that_are_not_named_like_images_are_left_out(tree):
    (tree / "train" / "cat" / "notes.txt").write_text("a cat")
    assert load_folder(tree).train.size == 25


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_tree_without_one_of_its_parts_is_refused_by_name(tree, part):
    (tree / part).rename(tree / "elsewhere")
    with pytest.raises(ValueError, match=f"no folder '{part}': expected PATH/train/<class>"):
        load_folder(tree)


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match=f"folder:{tmp_path}/nowhere has no folder 'train'"):
        load_folder(tmp_path / "nowhere")


def test_images_outside_the_class_folders_are_refused(tmp_path):
    write_images(tmp_path / "flat" / "train", 3)
    write_images(tmp_path / "flat" / "test", 3)
    with pytest.raises(ValueError, match=r"cannot be used.*expected PATH/train/<class>"):
        load_folder(tmp_path / "flat")


def test_a_class_without_images_is_refused_by_name(tree):
    (tree / "train" / "eel").mkdir()
    (tree / "test" / "eel").mkdir()
    with pytest.raises(ValueError, match=r"cannot be used.*eel"):
        load_folder(tree)


def test_a_class_in_one_part_only_is_refused_by_name(tree):
    write_images(tree / "test" / "eel", 2)
    with pytest.raises(ValueError, match=r"only one part .* eel"):
        load_folder(tree)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\x89PNG\r\n\x1a\n" + b"\0" * 40])
def test_a_file_that_is_not_an_image_is_refused_by_name(tree, content):
    (tree / "train" / "dog" / "000.png").write_bytes(content)
    with pytest.raises(ValueError, match=r"dog/000\.png is not a readable image.*repair or remove it"):
        load_folder(tree)


@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "webp"])
def test_a_truncated_image_is_refused_by_name_wherever_it_is_cut(tree, suffix):
    path = tree / "train" / "dog" / f"zzz.{suffix}"
    noise = np.random.default_rng(0).integers(256, size=(40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)
    content = path.read_bytes()
    for tenths in range(1, 8):
        path.write_bytes(content[: len(content) * tenths // 10])
        with pytest.raises(ValueError, match=rf"zzz\.{suffix} is not a readable image"):
            load_folder(tree)


def test_a_decompression_bomb_is_refused_by_name(tree):
    Image.new("1", (20_000, 20_000)).save(tree / "train" / "dog" / "bomb.png")
    with pytest.raises(ValueError, match=r"bomb\.png is not a readable image"):
        load_folder(tree)


def test_a_single_training_image_cannot_be_divided(tmp_path):
    write_images(tmp_path / "one" / "train" / "cat", 1)
    write_images(tmp_path / "one" / "test" / "cat", 1)
    with pytest.raises(ValueError, match="cannot hold out 1 of 1 training images"):
        load_folder(tmp_path / "one")


def test_images_of_one_colour_are_refused_since_they_cannot_be_normalized(tmp_path):
    for part in ("train", "test"):
        (tmp_path / "grey" / part / "cat").mkdir(parents=True)
        for index in range(3):
            Image.new("RGB", (8, 8), (9, 9, 9)).save(tmp_path / "grey" / part / "cat" / f"{index}.png")
    with pytest.raises(ValueError, match="folder-grey: a channel"):
        load_folder(tmp_path / "grey")


# The data set type


def with_train(images=None, labels=None):
    good = tiny_dataset(train=4, held=4)
    train = Split(
        good.train.images if images is None else images, good.train.labels if labels is None else labels
    )
    return Dataset(
        "broken", train, good.validation, good.test, good.classes, good.mean, good.std, flip=False
    )


def test_a_data_set_with_valid_splits_is_accepted():
    assert with_train().train.size == 4


@pytest.mark.parametrize(
    ("images", "labels", "message"),
    [
        (torch.zeros(4, 3, 32, 32), None, r"images must be uint8 .* got torch\.float32 \(4, 3, 32, 32\)"),
        (torch.zeros(4, 1, 32, 32, dtype=torch.uint8), None, r"shape \(n, 3, 32, 32\).*\(4, 1, 32, 32\)"),
        (torch.zeros(3, 32, 32, dtype=torch.uint8), None, r"shape \(n, 3, 32, 32\).*\(3, 32, 32\)"),
        (None, torch.zeros(4, dtype=torch.int32), r"labels must be int64 .* got torch\.int32 \(4,\)"),
        (None, torch.zeros(5, dtype=torch.int64), r"shape \(4,\), got torch\.int64 \(5,\)"),
        (None, torch.zeros(4, 1, dtype=torch.int64), r"shape \(4,\), got torch\.int64 \(4, 1\)"),
        (None, torch.tensor([0, 1, 2, 4]), r"labels must lie in \[0, 4\), got 0 to 4"),
        (None, torch.tensor([0, 1, 2, -1]), r"labels must lie in \[0, 4\), got -1 to 2"),
        (
            torch.zeros(0, 3, 32, 32, dtype=torch.uint8),
            torch.zeros(0, dtype=torch.int64),
            "no images; every split needs at least one",
        ),
    ],
)
def test_a_split_that_is_not_images_with_labels_is_refused_by_name(images, labels, message):
    with pytest.raises(ValueError, match=f"broken train: .*{message}"):
        with_train(images, labels)


@settings(deadline=None, derandomize=True, max_examples=25)
@given(n=st.integers(1, 5), side=st.integers(1, 6), seed=st.integers(0, 100))
def test_channel_statistics_agree_with_numpy(n, side, seed):
    images = np.random.default_rng(seed).integers(256, size=(n, 3, side, side), dtype=np.uint8)
    mean, std = channel_statistics(torch.from_numpy(images))
    np.testing.assert_allclose(mean, (images / 255).mean(axis=(0, 2, 3)), atol=5.1e-5)
    np.testing.assert_allclose(std, (images / 255).std(axis=(0, 2, 3)), atol=5.1e-5)


@settings(deadline=None, derandomize=True, max_examples=50)
@given(size=st.integers(2, 60), fraction=st.floats(0, 0.9), seed=st.integers(0, 100))
def test_holding_out_divides_a_split_without_loss_or_overlap(size, fraction, seed):
    labels = torch.arange(size)
    images = labels.view(-1, 1, 1, 1).expand(size, 3, 32, 32).to(torch.uint8)
    held_count = max(1, round(fraction * size))
    if held_count == size:
        return
    kept, held = hold_out(Split(images, labels), fraction=fraction, seed=seed)
    assert held.size == held_count
    assert sorted(kept.labels.tolist() + held.labels.tolist()) == list(range(size))
    assert all(torch.equal(part.images[:, 0, 0, 0].long(), part.labels) for part in (kept, held))


def test_what_is_held_out_depends_on_the_seed_alone():
    split = tiny_dataset(train=50).train
    first, again = (hold_out(split, fraction=0.2, seed=3)[1] for _ in range(2))
    other = hold_out(split, fraction=0.2, seed=4)[1]
    assert torch.equal(first.images, again.images)
    assert not torch.equal(first.images, other.images)


@pytest.mark.parametrize(("size", "fraction"), [(1, 0.1), (4, 1.0), (4, 2.0)])
def test_holding_out_everything_is_refused(size, fraction):
    with pytest.raises(ValueError, match=f"cannot hold out .* of {size} training images; add images"):
        hold_out(tiny_dataset(train=size).train, fraction=fraction, seed=0)
