"""Lab 10's solutions make masks where the weights are, and its first run counts steps, not epochs.

The meta device computes nothing but refuses tensors of another device, so it stands for a GPU.
"""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from labkit import settings
from labkit.course.notebook.structure import read_lab

PATH = next((settings.home() / "labs").glob("10_*.ipynb"))
SOURCES = {cell.id: cell.source for cell in read_lab(PATH).cells}


@pytest.fixture(scope="module")
def answers():
    """The names that the solutions of 10.3, 10.4 and 10.6 define."""
    names = {"Callable": Callable, "Tensor": Tensor, "nn": nn, "torch": torch}
    exec("from torch.nn.utils import parametrize\nimport copy", names)
    for cell in ("10-3-todo", "10-4-todo", "10-6-todo"):
        exec(compile(SOURCES[cell], cell, "exec"), names)
    return names


@pytest.mark.parametrize("rule", ["filter_mask", "weight_mask"])
def test_a_mask_is_on_the_device_of_its_weight(answers, rule):
    mask = answers[rule](torch.empty(4, 2, 3, 3, device="meta"), 0.5)
    assert mask.device.type == "meta"
    assert mask.dtype == torch.bool


def test_sparse_convolutions_are_on_the_device_of_the_network(answers):
    code = SOURCES["10-6-run"].split("\n\n\nsparse_network")[0]
    names = dict(answers)
    exec(compile(code, "10-6-run", "exec"), names)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4)).to("meta")
    copied = names["with_sparse_convolutions"](model)
    assert {tensor.device.type for tensor in copied.state_dict().values()} == {"meta"}
