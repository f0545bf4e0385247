"""What was once made of the same feeds is not made again: learners, trials and folds ask for the same features many times.

Things are kept under a digest of all that they were made of, the oldest are forgotten first. Knows nothing of what is kept.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from threading import Lock
from typing import Any

import numpy as np

MAX_BYTES = 512 * 2**20


class Memory:
    """Values by digest, together at most `most_bytes`. Who asks must not change what it gets."""

    def __init__(self, most_bytes: int = MAX_BYTES) -> None:
        self.most_bytes = most_bytes
        self._kept: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._bytes = 0
        self._lock = Lock()

    def get(self, made_of: Iterable[Any], make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """What is kept for these arrays, bytes and plain values, or what `make` gives. size: the bytes of a value."""
        key = digest(made_of)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key][0]
        value = make()
        self._keep(key, value, size(value))
        return value

    def _keep(self, key: str, value: Any, size: int) -> None:
        if size > self.most_bytes:
            return
        with self._lock:
            if key not in self._kept:
                self._kept[key] = (value, size)
                self._bytes += size
            while self._bytes > self.most_bytes:
                _, (_, left) = self._kept.popitem(last=False)
                self._bytes -= left


def digest(made_of: Iterable[Any]) -> str:
    """A name for arrays (with shape and type), bytes and plain values."""
    found = hashlib.blake2b(digest_size=20)
    for thing in made_of:
        if isinstance(thing, np.ndarray):
            found.update(f"{thing.dtype}{thing.shape}".encode())
            found.update(np.ascontiguousarray(thing).data)
        else:
            found.update(thing if isinstance(thing, bytes) else repr(thing).encode())
        found.update(b"|")
    return found.hexdigest()


MEMORY = Memory()
