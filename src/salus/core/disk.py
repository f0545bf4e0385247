"""A disk that fills while something is written, said as what it is."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from salus.core.errors import SalusError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """Turns the system's error into `disk_filled`. `folder`: on the disk that is written to."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        free = shutil.disk_usage(folder).free
        raise SalusError("disk_filled", where=f"the disk of '{folder.name}'", found=free) from None
