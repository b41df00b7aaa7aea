"""The settings of Python, NumPy and torch that a cell may change, and the next must not notice.

Print options are a matter of taste, and so is what warnings do; an exercise that another one needs may
leave gradients switched off. None of it may decide about the points of an exercise.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

__all__ = ["Settings", "current_settings"]

Restore = Callable[[], object]


@dataclass(frozen=True)
class Settings:
    """Calls that bring back the settings of a moment."""

    printing: tuple[Restore, ...]
    reporting: tuple[Restore, ...]
    computing: tuple[Restore, ...]

    def restore_printing(self) -> None:
        """Restore the print options."""
        for restore in self.printing:
            restore()

    def restore_reporting(self) -> None:
        """Restore print options and what happens at floating-point errors; ignore warnings."""
        warnings.resetwarnings()
        warnings.simplefilter("ignore")
        for restore in (*self.printing, *self.reporting):
            restore()

    def restore(self) -> None:
        """Restore torch's default dtype and whether it computes gradients as well."""
        self.restore_reporting()
        for restore in self.computing:
            restore()


def current_settings() -> Settings:
    """Return the settings as they are now, of the libraries that are loaded."""
    printing, reporting, computing = list[Restore](), list[Restore](), list[Restore]()
    numpy, torch = sys.modules.get("numpy"), sys.modules.get("torch")
    if numpy is not None:
        printing.append(partial(numpy.set_printoptions, **numpy.get_printoptions()))
        reporting.append(partial(numpy.seterr, **numpy.geterr()))
    if torch is not None:
        printing.append(partial(torch.set_printoptions, **torch._tensor_str.get_printoptions()))
        computing.append(partial(torch.set_default_dtype, torch.get_default_dtype()))
        computing.append(partial(torch.set_grad_enabled, torch.is_grad_enabled()))
    return Settings(tuple(printing), tuple(reporting), tuple(computing))
