"""How the graphs of a bundle are run together, one file a program. Adding one is one file and one name in `PROGRAMS`."""

from __future__ import annotations

import importlib
from functools import cache

from salus.core.errors import SalusError
from salus.inference.programs.base import Program

PROGRAMS: dict[str, str] = {
    "continuation": "salus.inference.programs.continuation:Continuation",
    "encoder-step": "salus.inference.programs.encoder_step:EncoderStep",
    "single": "salus.inference.programs.single:Single",
    "diffusion": "salus.inference.programs.diffusion:Diffusion",
}


@cache
def program_named(name: str) -> Program:
    """The program; loaded when first asked for. `bundle_damaged` for one that this version does not have."""
    if name not in PROGRAMS:
        raise SalusError("bundle_damaged", where="program", expected=f"one of {', '.join(PROGRAMS)}", found=name[:60])
    module, _, attribute = PROGRAMS[name].partition(":")
    program = getattr(importlib.import_module(module), attribute)()
    assert isinstance(program, Program)
    return program
