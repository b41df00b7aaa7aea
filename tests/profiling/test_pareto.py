from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from labkit.profiling.pareto import pareto_front

POINTS = st.lists(st.tuples(st.integers(1, 20), st.integers(0, 20)), max_size=12)


def test_of_equal_points_the_front_holds_one():
    assert pareto_front([(1.0, 5.0), (1.0, 5.0), (2.0, 5.0)]) == [(1.0, 5.0)]
    assert pareto_front([]) == []


@given(POINTS)
def test_every_point_is_on_the_front_or_beaten_by_one_that_is(points):
    front = pareto_front(points)
    assert set(front) <= set(points)
    for size, accuracy in set(points) - set(front):
        assert any(other <= size and better >= accuracy for other, better in front)


@given(POINTS)
def test_along_the_front_a_larger_file_is_more_accurate(points):
    front = pareto_front(points)
    assert all(a[0] < b[0] and a[1] < b[1] for a, b in pairwise(front))
