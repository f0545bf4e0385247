"""What a kill may not take: weights, optimiser, average and step, in one safetensors file that appears whole.

The generators need no state: all they draw follows from the seed and the step. A file of another fit is not an error, it is
not used: `key` names the fit.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from salus.core.durable import write_file
from salus.training.optimisers import optimiser_tensors, restore_optimiser

EVERY_S = 10.0  # what a kill costs at most
OPTIMISER = "optimiser."


@dataclass
class Checkpoint:
    """Where a fit is kept."""

    path: Path
    key: str
    _last: float = field(default_factory=time.monotonic)

    def due(self) -> bool:
        return time.monotonic() - self._last >= EVERY_S

    def write(
        self,
        step: int,
        record: dict[str, Any],
        held: Mapping[str, torch.Tensor],
        optimiser: torch.optim.Optimizer,
    ) -> None:
        """Keeps the state after `step` steps: the tensors `held`, and a JSON record beside them."""
        tensors = dict(held) | {OPTIMISER + name: value for name, value in optimiser_tensors(optimiser).items()}
        plain = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
        state = json.dumps({"key": self.key, "step": step, "record": record})
        write_file(self.path, save(plain, metadata={"state": state}))
        self._last = time.monotonic()

    def restore(self, held: Mapping[str, torch.Tensor], optimiser: torch.optim.Optimizer) -> tuple[int, dict[str, Any]]:
        """Steps done and the record, `held` and the optimiser filled; (0, {}) when there is nothing of this fit."""
        if not self.path.exists():
            return 0, {}
        try:
            with safe_open(self.path, framework="pt") as stream:
                state = json.loads((stream.metadata() or {}).get("state", "{}"))
                if state.get("key") != self.key:
                    return 0, {}
                tensors = {name: stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118 (not a dict)
        except SafetensorError:  # written by an older version or damaged: begin again
            return 0, {}
        with torch.no_grad():
            for name, value in held.items():
                value.copy_(tensors[name])
            kept = {n.removeprefix(OPTIMISER): t for n, t in tensors.items() if n.startswith(OPTIMISER)}
            restore_optimiser(optimiser, kept)
        return int(state["step"]), dict(state["record"])
