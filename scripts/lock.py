"""Prints constraints.txt: the exact version of every package that the environment holds, without Salus itself."""

from __future__ import annotations

import re
from importlib.metadata import distributions

OURS_AND_TOOLS = {"salus", "pip", "setuptools", "wheel"}


def main() -> None:
    print("# One solved set for the base install and every extra. Made by 'make lock'.")
    versions = {}
    for distribution in distributions():
        name = re.sub(r"[-_.]+", "-", distribution.metadata["Name"]).lower()
        if name not in OURS_AND_TOOLS:
            versions[name] = distribution.version.split("+")[0]
    for name in sorted(versions):
        print(f"{name}=={versions[name]}")


if __name__ == "__main__":
    main()
