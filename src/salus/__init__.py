"""Salus: AI models as a service, on your own machines.

The front door for a notebook. `read`, `fit` and `load` work without any service; `connect` talks to one. Nothing heavy is
imported before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["connect", "fit", "load", "read"]

if TYPE_CHECKING:
    from salus.notebook import connect, fit, load, read


def __getattr__(name: str) -> Any:
    if name in __all__:
        from salus import notebook

        return getattr(notebook, name)
    raise AttributeError(f"module 'salus' has no attribute '{name}'")
