"""Labs say nothing about other data that holds for photodigits only."""

import re
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from tiny import tiny_dataset

import labkit.data.augment  # noqa: F401 -- data.augment
from labkit import data, settings
from labkit.course.notebook.structure import read_lab
from labkit.data import photodigits
from labkit.recipes import CATALOG

LABS = sorted((settings.home() / "labs").glob("*.ipynb"))
COUNTS = re.compile(r"(?<![\d,])(9,000|18,000|2,000)(?![\d,])")  # images of photodigits


def cells(lab):
    """The cells of a lab by id; ``lab`` is its number or its path."""
    path = lab if hasattr(lab, "name") else next(path for path in LABS if path.name.startswith(lab))
    return {cell.id: cell for cell in read_lab(path).cells}


def run(lab, cell, **names):
    """Execute one cell with the names that it reads, and return all names afterwards."""
    exec(compile(cells(lab)[cell].source, cell, "exec"), names)
    return names


def other(classes=4):
    """A data set that is not embedded."""
    return replace(tiny_dataset(classes=classes), family="folder", title="pets")


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_settings_of_trainings_and_lengths_of_epochs_depend_on_the_data(path):
    code = "\n".join(cell.source for cell in cells(path).values() if cell.cell_type == "code")
    assert not re.search(
        r"RECIPES\[|find_recipe\(|train\.size /|epochs\[\d\d|read_manifest\(\w+\.name", code
    )


@pytest.mark.parametrize("path", LABS, ids=lambda path: path.stem)
def test_counts_of_images_are_those_of_photodigits_by_name(path):
    for cell in cells(path).values():
        if cell.metadata.get("labkit", {}).get("role") == "text":
            for paragraph in cell.source.split("\n\n"):
                assert not COUNTS.search(paragraph) or "photodigits" in paragraph.lower(), paragraph


def test_lab_00_names_the_classes_of_the_data(monkeypatch):
    shown = {}
    for dataset in (other(classes=3), replace(other(classes=3), family="embedded")):
        monkeypatch.setattr("labkit.data.load_dataset", lambda _, dataset=dataset: dataset)
        run("00", "00-images-run", data=data, plot_images=lambda _, rows: shown.update(rows))
    assert list(shown) == [f"{kind} class{label}" for kind in ("class", "digit") for label in range(3)]
    assert all(len(images) == 10 for images in shown.values())


def test_lab_02_shows_one_image_of_each_class_that_has_one():
    class Plots:
        def plot_verdicts(self, *arguments):
            self.title, self.images, self.labels, _ = arguments

    dataset, plots = other(classes=7), Plots()
    held = dataset.validation
    dataset = replace(
        dataset, validation=type(held)(held.images[held.labels != 3], held.labels[held.labels != 3])
    )
    dense = torch.nn.Linear(1, 7)
    names = {
        "dataset": dataset,
        "dense": dense,
        "plots": plots,
        "torch": torch,
        "data": data,
        "weights": {},
    }
    names |= {"pruned": lambda _: lambda inputs: torch.zeros(len(inputs), 7)}
    run("02", "02-1-images-run", **names)
    assert plots.labels.tolist() == [0, 1, 2, 4, 5, 6]
    assert plots.title == "One image of each class, and what three networks say"


@pytest.mark.parametrize("family", ["embedded", "cifar"])
def test_lab_06_says_how_photodigits_were_made_and_nothing_of_that_about_other_data(family):
    tables, claims = [], []
    datasets = {count: replace(tiny_dataset(), family=family) for count in (10, 100)}
    accuracy = {f"{part} top-{k} (%)": 90.0 + k for part in ("train", "test") for k in (1, 5)}
    names = run(
        "06",
        "06-3-settings-run",
        datasets=datasets,
        photodigits=photodigits,
        show_table=lambda title, *_: tables.append(title),
    )
    run(
        "06",
        "06-3-claim",
        **{key: value for key, value in names.items() if key != "__builtins__"},
        accuracy={10: accuracy, 100: accuracy},
        reference_d={10: (94.16, 99.71), 100: (74.00, 90.56)},
        claim=lambda text, _: claims.append(text),
    )
    about_photodigits = [text for text in claims if "training images" in text or text.startswith("and ")]
    assert (len(tables), len(about_photodigits)) == ((1, 3) if family == "embedded" else (0, 0))
    assert len(claims) == 4 + len(about_photodigits)


def test_lab_09_compares_the_networks_that_there_are_recipes_for_and_trains_them():
    trained, rows = [], []
    entry = SimpleNamespace(
        size_bytes=1, validation_top1=90.0, test_top1=90.0, shipped=True, nonzero_parameters=1
    )
    stand_in = SimpleNamespace(
        CATALOG=CATALOG,
        recorded=lambda *_: entry,
        fit_or_load=lambda name, of: trained.append((len(of.classes), name)),
    )
    run(
        "09",
        "09-tuned-run",
        datasets={f"{count} classes": other(classes=count) for count in (10, 100)},
        recipes=stand_in,
        checkpoints=SimpleNamespace(read_manifest=lambda _: {}),
        facts=lambda _: (0, 0.0),
        live={},
        BUDGETS=(3.5, 7, 14),
        plots=SimpleNamespace(plot_lines=lambda *_, **__: None),
        show_table=lambda _title, _columns, shown: rows.extend(shown),
    )
    assert {(10, "vgg16-channels"), (100, "vgg16-channels"), (10, "vgg16-narrow")} <= set(trained)
    assert (100, "vgg16-channels-7x-scratch") not in trained
    assert len(rows) == len(trained)
