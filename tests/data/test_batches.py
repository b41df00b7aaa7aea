from hypothesis import given
from hypothesis import strategies as st

from labkit.data.batches import batch_sizes


@given(count=st.integers(1, 500), batch_size=st.integers(1, 100))
def test_batches_hold_every_image_and_none_is_left_alone(count, batch_size):
    sizes = batch_sizes(count, batch_size)
    assert sum(sizes) == count
    assert set(sizes[:-1]) <= {batch_size}
    assert 1 not in sizes[1:] or batch_size == 1
    assert sizes[-1] <= batch_size + 1


def test_where_nothing_is_left_over_the_sizes_are_those_of_a_plain_split():
    assert batch_sizes(9_000, 128) == [128] * 70 + [40]
    assert batch_sizes(100, 100) == [100]
