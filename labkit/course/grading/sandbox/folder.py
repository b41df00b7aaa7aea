"""The temporary folder of a box, and the removal of those that a killed grader left behind."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from pathlib import Path

__all__ = ["BoxFolder"]

PREFIX = "labkit-box-"
UNLOCKED = "labkit-new-"  # until its box has locked it
UNLOCKED_SECONDS = 60.0


class BoxFolder:
    """A folder that is locked while its box exists; making one removes all those without an owner."""

    def __init__(self) -> None:
        _remove_abandoned()
        new = Path(tempfile.mkdtemp(prefix=UNLOCKED))
        self.lock = os.open(new, os.O_RDONLY | os.O_DIRECTORY)
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.path = new.rename(new.with_name(new.name.replace(UNLOCKED, PREFIX, 1)))

    def remove(self) -> None:
        """Remove the folder with all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        if self.lock >= 0:
            os.close(self.lock)
            self.lock = -1


def _remove_abandoned() -> None:
    """Remove the folders of boxes whose grader has ended without removing them.

    The system releases a lock when its holder ends, however that happens.
    """
    folder = Path(tempfile.gettempdir())
    for path in (*folder.glob(f"{PREFIX}*"), *folder.glob(f"{UNLOCKED}*")):
        try:
            state = path.lstat()
            is_new = path.name.startswith(UNLOCKED) and time.time() - state.st_mtime < UNLOCKED_SECONDS
            if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or is_new:
                continue
            lock = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:  # another process holds the lock
            continue
        finally:
            os.close(lock)
