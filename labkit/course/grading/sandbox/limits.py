"""How much a submission may use; docs/instructor.md says who enforces what."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]


@dataclass(frozen=True)
class Limits:
    """The resources that one exercise, and one whole lab, may use."""

    cpu_s: int = 30  # processor time of one exercise
    wall_s: float = 120.0  # of one cell
    lab_s: float = 1200.0  # of one lab
    memory_bytes: int = 4_000_000_000  # one process's own, and all processes together
    file_bytes: int = 64_000_000
    disk_bytes: int = 256_000_000  # of each folder that can be written; bubblewrap only
    files: int = 50_000  # bubblewrap only
    processes: int = 48
    tasks: int = 256  # processes and threads; with bubblewrap or a control group
    output_chars: int = 100_000
