"""The supervisor over toy programs: what `salus.programs.supervisor` runs, but for the commands."""

from __future__ import annotations

import sys
from pathlib import Path

from salus.programs import background, supervisor

HERE = Path(__file__).parent


def toy_command(module: str) -> tuple[str, ...]:
    name = module.rpartition(".")[2]
    if name == "supervisor":
        return (sys.executable, str(HERE / "toy_supervisor.py"))
    return (sys.executable, str(HERE / "toy_program.py"), name)


if __name__ == "__main__":
    supervisor.program_command = background.program_command = toy_command
    sys.exit(supervisor.main())
