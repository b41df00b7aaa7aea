"""The Pareto front of networks: the ones that no other network beats in both size and accuracy."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["Point", "pareto_front"]

Point = tuple[float, float]  # bytes, accuracy in per cent


def pareto_front(points: Iterable[Point]) -> list[Point]:
    """Return the points (bytes, accuracy) that no other one beats in both, sorted by bytes.

    >>> pareto_front([(30, 91.0), (20, 90.0), (40, 90.5), (20, 89.0)])
    [(20, 90.0), (30, 91.0)]
    """
    front: list[Point] = []
    for size, accuracy in sorted(points, key=lambda point: (point[0], -point[1])):
        if not front or accuracy > front[-1][1]:
            front.append((size, accuracy))
    return front
