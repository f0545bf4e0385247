"""Optimisers and the running average of weights, with their states as flat tensors for a checkpoint."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import nn


def make_optimiser(name: str, network: nn.Module, weight_decay: float) -> torch.optim.Optimizer:
    """`sgd` with Nesterov momentum, or `adam`; its rate is set by the loop. Scales and biases do not decay."""
    weights = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    others = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": weights, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]
    groups = [group for group in groups if group["params"]]
    if name == "adam":
        return torch.optim.AdamW(groups, lr=0.0, eps=1e-7, foreach=True)
    return torch.optim.SGD(groups, lr=0.0, momentum=0.9, nesterov=True, foreach=True)


def set_rate(optimiser: torch.optim.Optimizer, rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate


def clip(optimiser: torch.optim.Optimizer, norm: float) -> None:
    """Shortens the gradient of all weights together to at most `norm`."""
    nn.utils.clip_grad_norm_(_parameters(optimiser), norm, foreach=True)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """What it remembers, by position of the parameter and name."""
    found = {}
    for index, parameter in enumerate(_parameters(optimiser)):
        for name, value in optimiser.state[parameter].items():
            if isinstance(value, torch.Tensor):
                found[f"{index}.{name}"] = value
    return found


def restore_optimiser(optimiser: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]) -> None:
    parameters = _parameters(optimiser)
    for key, value in tensors.items():
        index, _, name = key.partition(".")
        parameter = parameters[int(index)]
        # The layout in memory of the parameter: sums in another order would give other bits.
        kept = torch.empty_like(parameter) if value.shape == parameter.shape else torch.empty_like(value)
        optimiser.state[parameter][name] = kept.detach().copy_(value)


class Average:
    """Exponential average of everything a network holds, taken after every step.

    It forgets faster in the beginning: its memory is never longer than a tenth of the steps done.
    """

    def __init__(self, network: nn.Module, decay: float):
        self.decay = decay
        self._live = [t for t in network.state_dict().values() if t.is_floating_point()]
        self.tensors = [torch.clone(t) for t in self._live]

    def update(self, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(self.tensors, self._live, 1 - decay)

    def give(self) -> None:
        """Puts the average into the network."""
        for live, mean in zip(self._live, self.tensors, strict=True):
            live.copy_(mean)

    @contextlib.contextmanager
    def given(self) -> Iterator[None]:
        """The average in the network for a while, then the live weights again."""
        live = [torch.clone(value) for value in self._live]
        self.give()
        try:
            yield
        finally:
            for value, before in zip(self._live, live, strict=True):
                value.copy_(before)


def _parameters(optimiser: torch.optim.Optimizer) -> list[torch.Tensor]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]
