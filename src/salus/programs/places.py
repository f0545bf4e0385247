"""Whether a program may stand where it was told to: the address it answers on, and the home it keeps things in."""

from __future__ import annotations

import os
from pathlib import Path

from salus.core.errors import SalusError
from salus.core.settings import Settings


def check_host(settings: Settings) -> None:
    """Another address than this machine's own demands that a proxy ends TLS in front."""
    if settings.host not in ("127.0.0.1", "::1", "localhost") and not settings.behind_proxy:
        raise SalusError("bind_public", where="SALUS_HOST", found=settings.host)


def check_home(home: Path) -> None:
    """`home_not_writable`, or `home_open` when others may read it."""
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise SalusError("home_not_writable", where=str(home), found=os.strerror(error.errno or 0)) from None
    if not os.access(home, os.W_OK | os.X_OK):
        raise SalusError("home_not_writable", where=str(home), found="no right to write")
    mode = home.stat().st_mode & 0o777
    if mode & 0o077:
        raise SalusError("home_open", where=str(home), found=f"{mode:04o}")
