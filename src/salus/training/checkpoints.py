"""What a kill may not take: weights, optimiser, average and step, in one safetensors file that appears whole.

The generators need no state: all they draw follows from the seed and the step. A file of another fit is not an error, it is
not used: `key` names the fit.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from salus.core.durable import write_file
from salus.training.optimisers import Average, optimiser_tensors, restore_optimiser

EVERY_S = 10.0  # what a kill costs at most


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
        network: nn.Module,
        optimiser: torch.optim.Optimizer,
        average: Average | None,
    ) -> None:
        """Keeps the state after `step` steps, and a JSON record beside it."""
        tensors = {f"network.{name}": value for name, value in network.state_dict().items()}
        tensors |= {f"optimiser.{name}": value for name, value in optimiser_tensors(optimiser).items()}
        if average is not None:
            tensors |= {f"average.{index}": value for index, value in enumerate(average.tensors)}
        plain = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
        state = json.dumps({"key": self.key, "step": step, "record": record})
        write_file(self.path, save(plain, metadata={"state": state}))
        self._last = time.monotonic()

    def restore(
        self, network: nn.Module, optimiser: torch.optim.Optimizer, average: Average | None
    ) -> tuple[int, dict[str, Any]]:
        """Steps done and the record; (0, {}) when there is nothing of this fit."""
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
            for name, value in network.state_dict().items():
                value.copy_(tensors[f"network.{name}"])
            prefix = "optimiser."
            restore_optimiser(
                optimiser, {n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)}
            )
            for index, value in enumerate(average.tensors if average is not None else []):
                value.copy_(tensors[f"average.{index}"])
        return int(state["step"]), dict(state["record"])
