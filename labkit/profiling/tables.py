"""Profiles beside each other, as columns and rows for :func:`labkit.tables.show_table`.

What is the same on every machine and what is not stand in tables of their own, so that a recorded
lab can compare the first and only show the second.
"""

from __future__ import annotations

from collections.abc import Mapping

from labkit.profiling.network_profile import Profile

__all__ = ["energy_table", "machine_table", "network_table"]

Cell = str | int | float | None
Columns = list[str]
Rows = list[list[Cell]]


def network_table(profiles: Mapping[str, Profile]) -> tuple[Columns, Rows]:
    """Parameters, sparsity, size, MACs and accuracies by network: the same on every machine.

    Args:
        profiles: by the network's name; an accuracy that one of them lacks shows as a dash.

    Returns:
        Columns and rows: ``show_table("Networks", *network_table(profiles))``.
    """
    accuracies = list(dict.fromkeys(name for found in profiles.values() for name in found.accuracy))
    columns = ["network", "parameters", "nonzero", "sparsity (%)", "size (MB)", "MACs (M)", *accuracies]
    rows: Rows = [
        [
            name,
            found.parameters,
            found.nonzero,
            100 * found.sparsity,
            found.size_mb,
            found.macs / 1e6,
            *(found.accuracy.get(which) for which in accuracies),
        ]
        for name, found in profiles.items()
    ]
    return columns, rows


def machine_table(profiles: Mapping[str, Profile]) -> tuple[Columns, Rows]:
    """Latency, its spread, throughput and memory by network, on this machine."""
    columns = ["network", "device", "batch", "latency (ms)", "IQR (ms)", "images/s"]
    columns += ["peak memory (MB)", "average memory (MB)"]
    rows: Rows = [
        [
            name,
            found.device,
            found.batch_size,
            found.latency.median_ms,
            found.latency.iqr_ms,
            found.images_per_second,
            found.peak_memory_mb,
            found.average_memory_mb,
        ]
        for name, found in profiles.items()
    ]
    return columns, rows


def energy_table(profiles: Mapping[str, Profile]) -> tuple[Columns, Rows]:
    """Millijoules a batch: a row a domain, a column a network, and a note on what is not measurable."""
    domains = list(dict.fromkeys(domain for found in profiles.values() for domain in found.energy))
    rows: Rows = []
    for domain in domains:
        values = [found.energy.get(domain) for found in profiles.values()]
        notes = dict.fromkeys(value for value in values if isinstance(value, str))
        numbers: list[Cell] = [None if isinstance(value, str) else value for value in values]
        rows.append([domain, *numbers, "; ".join(notes) or "measured"])
    return ["domain", *(f"{name} (mJ)" for name in profiles), "note"], rows
