"""Says whether LightGBM's one system library is there, and if not, the one line that installs it."""

from __future__ import annotations

import ctypes.util
import sys


def main() -> int:
    name = "omp" if sys.platform == "darwin" else "gomp"
    if ctypes.util.find_library(name):
        return 0
    try:
        ctypes.CDLL("libomp.dylib" if sys.platform == "darwin" else "libgomp.so.1")
    except OSError:
        hint = "brew install libomp" if sys.platform == "darwin" else "sudo apt-get install libgomp1"
        print(f"lib{name} was not found; LightGBM needs it. Install it with: {hint}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
