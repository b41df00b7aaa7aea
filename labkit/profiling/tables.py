"""Comparison tables of profiles, as columns and rows for :func:`labkit.tables.show_table`.

Quantities that are the same on every machine and quantities that are not are in separate tables, so a
lab can compare the former with what was recorded and only show the latter.
"""

from __future__ import annotations

from collections.abc import Mapping

from labkit.profiling.network_profile import Profile
from labkit.tables import Cell

__all__ = ["energy_table", "machine_table", "network_table"]

Columns = list[str]
Rows = list[list[Cell]]


def network_table(profiles: Mapping[str, Profile]) -> tuple[Columns, Rows]:
    """Tabulate parameters, sparsity, size, MACs and accuracies, which are the same on every machine.

    Args:
        profiles: by the network's name; a missing accuracy is shown as a dash.

    Returns:
        Columns and rows: ``show_table("Networks", *network_table(profiles))``.
    """
    accuracies = list(dict.fromkeys(name for entry in profiles.values() for name in entry.accuracy))
    columns = ["network", "parameters", "nonzero", "sparsity (%)", "size (MB)", "MACs (M)", *accuracies]
    rows: Rows = [
        [
            name,
            entry.parameters,
            entry.nonzero,
            100 * entry.sparsity,
            entry.size_mb,
            entry.macs / 1e6,
            *(entry.accuracy.get(label) for label in accuracies),
        ]
        for name, entry in profiles.items()
    ]
    return columns, rows


def machine_table(profiles: Mapping[str, Profile]) -> tuple[Columns, Rows]:
    """Tabulate latency, its spread, throughput and memory by network, on this machine."""
    columns = ["network", "device", "batch", "latency (ms)", "IQR (ms)", "images/s"]
    columns += ["peak memory (MB)", "average memory (MB)"]
    rows: Rows = [
        [
            name,
            entry.device,
            entry.batch_size,
            entry.latency.median_ms,
            entry.latency.iqr_ms,
            entry.images_per_second,
            entry.peak_memory_mb,
            entry.average_memory_mb,
        ]
        for name, entry in profiles.items()
    ]
    return columns, rows


def energy_table(profiles: Mapping[str, Profile]) -> tuple[Columns, Rows]:
    """Tabulate millijoules per batch: one row per domain, one column per network, and a note."""
    domains = list(dict.fromkeys(domain for entry in profiles.values() for domain in entry.energy))
    rows: Rows = []
    for domain in domains:
        values = [entry.energy.get(domain) for entry in profiles.values()]
        notes = dict.fromkeys(value for value in values if isinstance(value, str))
        numbers: list[Cell] = [None if isinstance(value, str) else value for value in values]
        rows.append([domain, *numbers, "; ".join(notes) or "measured"])
    return ["domain", *(f"{name} (mJ)" for name in profiles), "note"], rows
