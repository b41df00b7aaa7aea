import pytest
import torch

from labkit.data.sequences import END, PADDING, START, make_pairs, to_text


def pairs(task, count=500, seed=0, **options):
    return make_pairs(task, count, torch.Generator().manual_seed(seed), **options)


def texts(examples):
    return [(to_text(source), to_text(target)) for source, target in zip(*examples, strict=True)]


@pytest.mark.parametrize("part", ["train", "held out"])
def test_a_reversed_sequence_is_the_source_backwards(part):
    examples = texts(pairs("reversal", sizes=(2, 7), part=part))
    assert all(target == f"<{source[::-1]}>" for source, target in examples)
    assert {len(source) for source, _ in examples} == set(range(2, 8))


@pytest.mark.parametrize("part", ["train", "held out"])
def test_a_sum_is_right_and_written_backwards(part):
    for source, target in texts(pairs("addition", sizes=(1, 4), part=part)):
        left, right = source.split("+")
        assert target == f"<{str(int(left) + int(right))[::-1]}>"
        assert str(int(left)) == left
        assert str(int(right)) == right


def test_every_number_of_digits_occurs_on_both_sides():
    lengths = [tuple(map(len, source.split("+"))) for source, _ in texts(pairs("addition", sizes=(1, 3)))]
    assert set(lengths) == {(left, right) for left in (1, 2, 3) for right in (1, 2, 3)}


@pytest.mark.parametrize(("task", "sizes"), [("reversal", (4, 5)), ("addition", (1, 2))])
def test_no_held_out_sequence_is_trained_on(task, sizes):
    trained = {source for source, _ in texts(pairs(task, 3000, sizes=sizes))}
    held_out = {source for source, _ in texts(pairs(task, 300, sizes=sizes, part="held out"))}
    assert held_out
    assert not trained & held_out


def test_the_seed_decides_and_padding_comes_last():
    first, again, other = (pairs("reversal", 20, seed, sizes=(3, 6)) for seed in (1, 1, 2))
    assert torch.equal(first.sources, again.sources)
    assert not torch.equal(first.sources, other.sources)
    assert first.targets.dtype == torch.int64
    assert first.targets.shape == (20, 8)
    for row in first.targets:
        used = int((row != PADDING).sum())
        assert row[0] == START
        assert row[used - 1] == END
        assert (row[used:] == PADDING).all()


@pytest.mark.parametrize(
    "options",
    [
        {"task": "sorting", "count": 1, "sizes": (1, 2)},
        {"task": "reversal", "count": 0, "sizes": (1, 2)},
        {"task": "reversal", "count": 1, "sizes": (3, 2)},
        {"task": "addition", "count": 1, "sizes": (0, 2)},
        {"task": "addition", "count": 1, "sizes": (1, 19)},
        {"task": "addition", "count": 1, "sizes": (1, 2), "part": "test"},
    ],
)
def test_what_cannot_be_drawn_is_refused(options):
    with pytest.raises(ValueError, match="must be"):
        make_pairs(options.pop("task"), options.pop("count"), torch.Generator(), **options)
