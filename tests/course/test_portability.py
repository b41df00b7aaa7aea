import math

import pytest
import torch
from small_labs import small_lab, write
from torch.nn import functional

from labkit.course.nbval_plugin.perturbation import perturb_arithmetic, perturbed
from labkit.course.notebook.execution import record
from labkit.course.portability import AVX2, SETTINGS, Setting, comparison_table, measure

pytestmark = pytest.mark.heavy

WEIGHTED = """import torch
from torch import nn

torch.manual_seed(0)
with torch.no_grad():
    print(f"{nn.Linear(400, 1)(torch.ones(400)).item():.9f}")"""


@pytest.fixture
def layers(monkeypatch):
    """torch's own layers are put back afterwards."""
    for name in ("conv1d", "conv2d", "conv3d", "linear"):
        monkeypatch.setattr(functional, name, getattr(functional, name))


@pytest.mark.usefixtures("layers")
def test_layers_are_off_by_a_few_units_in_the_last_place_and_no_more():
    torch.manual_seed(0)
    x, images = torch.randn(8, 50), torch.randn(2, 3, 8, 8)
    layer, convolution = torch.nn.Linear(50, 50), torch.nn.Conv2d(3, 4, 3)
    before = [(x.dtype, layer(x), convolution(images))]
    before.append((torch.float64, layer.double()(x.double()), convolution.double()(images.double())))
    perturb_arithmetic()
    perturb_arithmetic()  # a second call changes nothing
    after = [layer(x.double()), convolution(images.double())]
    after = [layer.float()(x), convolution.float()(images), *after]
    for old, new in zip([y for _, *ys in before for y in ys], after, strict=True):
        largest = ((new - old).abs() / old.abs()).max()
        assert 0 < largest < 10 * torch.finfo(old.dtype).eps


@pytest.mark.usefixtures("layers")
def test_a_batch_and_its_parts_are_perturbed_alike():
    perturb_arithmetic()
    x = torch.randn(6, 5, dtype=torch.float64)
    layer = torch.nn.Linear(5, 3).double()
    torch.testing.assert_close(layer(x)[:2], layer(x[:2]), rtol=1e-15, atol=0)


def test_sixteen_bit_types_are_left_alone():
    x = torch.randn(9).bfloat16()
    assert perturbed(x) is x


def test_perturbed_outputs_have_the_gradient_of_the_layer():
    x = torch.randn(9, requires_grad=True)
    perturbed(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.ones(9), rtol=2e-6, atol=0)


def test_the_matrix_has_both_instruction_sets_one_and_two_threads_and_a_perturbed_run():
    kinds = {(s.threads, bool(s.environment), s.perturbed) for s in SETTINGS}
    assert {
        (1, False, False),
        (2, False, False),
        (1, True, False),
        (2, True, False),
        (1, False, True),
    } == kinds
    assert {"ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "OPENBLAS_CORETYPE"} <= AVX2.keys()


def test_the_table_lists_what_differs_and_says_how_much_of_its_tolerance():
    shares = {"native": {"a": 0.0, "b": 0.25, "c": 0.0}, "AVX2": {"a": 0.002, "b": math.inf, "c": 0.0}}
    columns, rows, rest = comparison_table(shares)
    assert columns == ["cell or recipe", "native", "AVX2"]
    assert rows == [["b", "25 %", "FAILED"]]
    assert rest.startswith("2 others")


@pytest.mark.slow
def test_a_cell_that_depends_on_the_processor_is_found(tmp_path):
    lab = small_lab()
    lab.cells[-2].source, lab.cells[-2].metadata["labkit"] = (
        WEIGHTED,
        {"role": "run", "atol": 1e-9, "rtol": 0},
    )
    path = write(tmp_path / "99_weighted.ipynb", lab)
    record(path)
    native = measure(Setting("native", 1), [path], replays=False)
    assert set(native.values()) == {0.0}
    off = measure(Setting("perturbed", 1, perturbed=True), [path], replays=False)
    assert [name.partition("::")[2] for name, share in off.items() if share > 1] == ["99-table"]
