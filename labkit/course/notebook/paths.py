"""Find the workbook's labs by name."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from labkit import settings

__all__ = ["find_labs", "lab_names", "lab_paths"]


def lab_paths(home: Path) -> list[Path]:
    """Return the labs of the workbook in the folder ``home``, in the order of their numbers."""
    return sorted(path for path in (home / "labs").glob("[0-9][0-9]_*.ipynb") if path.is_file())


def find_labs(names: Sequence[str], labs: Sequence[Path] | None = None) -> list[Path]:
    """Return the notebooks that ``names`` refer to, each once; all labs of the workbook if it is empty.

    Args:
        names: paths, file names, how a lab's file name begins (``"02"``), or its number (``"2"``).
        labs: the notebooks to choose from; by default the workbook's labs.

    Raises:
        ValueError: if the workbook has no labs, or a name fits none or several; lists the labs.
    """
    labs = lab_paths(settings.home()) if labs is None else labs
    if not names:
        if not labs:
            raise ValueError(f"there are no labs in {settings.home() / 'labs'}.")
        return list(labs)
    return list(dict.fromkeys(_find(name, labs) for name in names))


def lab_names() -> str:
    """Return the names of the workbook's labs, for a message."""
    return ", ".join(lab.stem for lab in lab_paths(settings.home())) or "none yet"


def _find(name: str, labs: Sequence[Path]) -> Path:
    """Return the notebook that one name refers to."""
    path = Path(name)
    if path.suffix == ".ipynb" and path.is_file():
        return path
    matches = (
        [lab for lab in labs if lab.stem == path.stem]
        or [lab for lab in labs if lab.name.startswith(f"{name.zfill(2)}_")]
        or [lab for lab in labs if lab.name.startswith(name)]
    )
    if len(matches) != 1:
        problem = "several labs begin" if matches else "there is no lab that begins"
        names = ", ".join(lab.stem for lab in labs) or "none yet"
        raise ValueError(f"{problem} with {name!r}; there are {names}.")
    return matches[0]
