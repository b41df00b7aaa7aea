"""Two tasks for a transformer, made from a seed: reverse a sequence of digits, and add two numbers.

Both use the same tokens: 0 pads, 1 starts and 2 ends a target, 3 to 12 are the digits, 13 is the plus
sign. One sequence in ten, chosen by its content, is never in a training batch, so accuracy on held-out
sequences is not memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple, get_args

import torch
from torch import Tensor

__all__ = [
    "END",
    "PADDING",
    "PLUS",
    "START",
    "VOCABULARY",
    "SequencePairs",
    "Task",
    "make_pairs",
    "to_text",
]

PADDING, START, END = 0, 1, 2
FIRST_DIGIT = 3
PLUS = 13
VOCABULARY = 14
SYMBOLS = (".", "<", ">", *"0123456789", "+")

Task = Literal["reversal", "addition"]
Part = Literal["train", "held out"]


class SequencePairs(NamedTuple):
    """Sources ``(n, length)`` and targets ``(n, length)``, int64, filled up with :data:`PADDING`.

    A target begins with :data:`START` and ends with :data:`END`.
    """

    sources: Tensor
    targets: Tensor


def make_pairs(
    task: Task, count: int, generator: torch.Generator, *, sizes: tuple[int, int], part: Part = "train"
) -> SequencePairs:
    """Draw ``count`` examples of ``task``.

    Args:
        task: ``"reversal"`` of a sequence of digits, or ``"addition"`` of two numbers, whose sum is
            written with its last digit first, as one adds by hand.
        count: how many, at least 1.
        generator: decides which.
        sizes: shortest and longest sequence, or fewest and most digits of each number; all sizes are
            equally likely.
        part: ``"train"``, or ``"held out"`` for sequences that ``"train"`` never draws.

    Raises:
        ValueError: if an argument is not one of those above.

    >>> pairs = make_pairs("addition", 1, torch.Generator().manual_seed(0), sizes=(2, 2))
    >>> to_text(pairs.sources[0]), to_text(pairs.targets[0])
    ('80+26', '<601>')
    """
    low, high = sizes
    if task not in get_args(Task) or part not in get_args(Part):
        raise ValueError(
            f"task must be one of {', '.join(get_args(Task))} and part one of "
            f"{', '.join(get_args(Part))}, got {task!r}, {part!r}."
        )
    if count < 1 or not 1 <= low <= high <= 18:
        raise ValueError(
            f"count must be at least 1 and sizes between 1 and 18 in order, got {count}, {sizes}."
        )
    draw: Callable[[int, torch.Generator, int, int], SequencePairs] = (
        _reversals if task == "reversal" else _additions
    )
    sources, targets, drawn = [], [], 0
    while drawn < count:
        pairs = draw(2 * count if part == "train" else 20 * count, generator, low, high)
        kept = _held_out(pairs.sources) == (part == "held out")
        sources.append(pairs.sources[kept])
        targets.append(pairs.targets[kept])
        drawn += len(sources[-1])
    return SequencePairs(torch.cat(sources)[:count], torch.cat(targets)[:count])


def to_text(tokens: Tensor) -> str:
    """Return tokens ``(n,)`` as text, without padding: ``<`` starts and ``>`` ends a target."""
    return "".join(SYMBOLS[token] for token in tokens.tolist() if token != PADDING)


def _held_out(sources: Tensor) -> Tensor:
    """Return which sources ``(n, length)`` are held out: a tenth, by a hash of their tokens."""
    code = torch.zeros(len(sources), dtype=torch.int64)
    for column in sources.flip(1).unbind(1):  # padding first, where it adds nothing
        code = (code * 8191 + column * 131) % 1_000_003
    return code % 10 == 0


def _reversals(count: int, generator: torch.Generator, low: int, high: int) -> SequencePairs:
    """Draw sequences of ``low`` to ``high`` digits and reverse them."""
    lengths = torch.randint(low, high + 1, (count, 1), generator=generator)
    digits = torch.randint(FIRST_DIGIT, FIRST_DIGIT + 10, (count, high), generator=generator)
    place = torch.arange(high)
    sources = digits.masked_fill(place >= lengths, PADDING)
    backwards = sources.gather(1, (lengths - 1 - place).clamp(min=0)).masked_fill(place >= lengths, PADDING)
    return SequencePairs(sources, _with_ends(backwards, lengths))


def _additions(count: int, generator: torch.Generator, low: int, high: int) -> SequencePairs:
    """Draw pairs of numbers of ``low`` to ``high`` digits; the first digit of a longer number is not 0."""
    numbers, lengths = [], []
    for _ in range(2):
        length = torch.randint(low, high + 1, (count, 1), generator=generator)
        digits = torch.randint(0, 10, (count, high), generator=generator)
        leading = torch.randint(1, 10, (count, 1), generator=generator)
        digits[:, :1] = torch.where(length > 1, leading, digits[:, :1])
        numbers.append(digits)
        lengths.append(length)
    place = torch.arange(2 * high + 1)
    first, second = (_padded(number, len(place)) for number in numbers)
    shifted = second.gather(1, (place - lengths[0] - 1).clamp(min=0))
    sources = torch.where(place < lengths[0], first + FIRST_DIGIT, shifted + FIRST_DIGIT)
    sources = torch.where(place == lengths[0], PLUS, sources)
    sources = sources.masked_fill(place > lengths[0] + lengths[1], PADDING)
    values = [_value(number, length) for number, length in zip(numbers, lengths, strict=True)]
    total = values[0] + values[1]
    powers = 10 ** torch.arange(high + 1)
    digits = total[:, None] // powers % 10 + FIRST_DIGIT
    used = (total[:, None] >= powers[1:]).sum(1, keepdim=True) + 1
    return SequencePairs(
        sources, _with_ends(digits.masked_fill(torch.arange(high + 1) >= used, PADDING), used)
    )


def _padded(numbers: Tensor, width: int) -> Tensor:
    """Fill ``(n, digits)`` up with zeros on the right."""
    return torch.nn.functional.pad(numbers, (0, width - numbers.shape[1]))


def _value(digits: Tensor, lengths: Tensor) -> Tensor:
    """Return the numbers whose first ``lengths`` digits are given, most significant first."""
    value = torch.zeros(len(digits), dtype=torch.int64)
    for place, digit in enumerate(digits.unbind(1)):
        value = torch.where(place < lengths[:, 0], value * 10 + digit, value)
    return value


def _with_ends(tokens: Tensor, lengths: Tensor) -> Tensor:
    """Put the start token before and the end token after each sequence."""
    padded = torch.nn.functional.pad(tokens, (1, 1), value=PADDING)
    padded[:, 0] = START
    return padded.scatter(1, lengths + 1, END)
