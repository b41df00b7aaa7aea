"""Operators of runs whose products are known."""

import pytest
import torch
from torch import nn

from labkit import profiling


def calls(run, **options):
    return {entry.name: entry.calls for entry in profiling.operator_table(run, **options)}


def test_each_operator_is_counted_as_often_as_it_is_called():
    model = nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 6), nn.ReLU(), nn.Linear(6, 2)).eval()
    x = torch.randn(3, 4)

    def run():
        with torch.inference_mode():
            model(x)

    counted = calls(run)
    assert (counted["aten::linear"], counted["aten::addmm"], counted["aten::relu"]) == (3, 3, 2)
    assert "aten::conv2d" not in counted


def test_a_sparse_product_is_another_operator_than_a_dense_one():
    weight, x = torch.eye(4), torch.randn(4, 2)
    sparse = weight.to_sparse()
    assert "aten::_sparse_mm" in calls(lambda: torch.sparse.mm(sparse, x))
    assert "aten::_sparse_mm" not in calls(lambda: weight @ x)


def test_the_longest_operator_is_first_and_times_are_milliseconds_of_all_calls():
    large, small = torch.randn(400, 400), torch.randn(2, 2)

    def run():
        for _ in range(5):
            large.mm(large)
            small.add(small)

    table = profiling.operator_table(run)
    assert table[0].name == "aten::mm"
    assert table[0].calls == 5
    assert 0 < table[0].self_ms < 10_000
    assert [entry.self_ms for entry in table] == sorted((entry.self_ms for entry in table), reverse=True)


def test_self_times_leave_out_the_operators_inside():
    large = torch.randn(400, 400)
    times = {entry.name: entry.self_ms for entry in profiling.operator_table(lambda: large.matmul(large))}
    assert times["aten::matmul"] < times["aten::mm"]


def test_annotations_and_memory_entries_are_not_operators():
    def run():
        with torch.profiler.record_function("a batch"):
            torch.zeros(10)

    assert all(name.startswith("aten::") for name in calls(run))


@pytest.mark.parametrize(("warmup", "expected"), [(0, 1), (2, 3)])
def test_the_run_after_the_warm_up_is_recorded(warmup, expected):
    runs = []
    counted = calls(lambda: runs.append(torch.zeros(1)), warmup=warmup)
    assert (len(runs), counted["aten::zeros"]) == (expected, 1)
