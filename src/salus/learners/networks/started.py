"""Networks of `transformers`, built from what their configuration says and filled with tensors, below a linear head.

The library is given no path and no address: it makes the layers of architectures that it knows by itself. Knows tensors.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

os.environ["HF_HUB_OFFLINE"] = "1"  # nothing goes out, whatever a library would like to look up
os.environ["TRANSFORMERS_OFFLINE"] = "1"

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from salus.core.errors import SalusError

UNUSED = ("pooler", "classifier", "head", "cls", "lm_head", "distillation_classifier", "discriminator_predictions")


def backbone_of(config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor], where: str) -> nn.Module:
    """The layers without any head, in the mode in which they answer. Raises `start_incomplete` where tensors are missing or do not fit."""
    from transformers import AutoConfig, AutoModel

    said = {name: value for name, value in config.items() if name not in ("model_type", "architectures", "dtype")}
    said = {name: value for name, value in said.items() if not name.startswith("torch_")}
    try:
        known = AutoConfig.for_model(config["model_type"], **said)
        known._attn_implementation = "eager"
        network: nn.Module = AutoModel.from_config(known, trust_remote_code=False)
    except Exception as error:  # whatever a config that lies makes the library raise
        raise SalusError(
            "start_unknown", where=where, expected="a config of this library", found=str(error)[:120]
        ) from None
    found = _named(network, tensors)
    missing = [name for name in network.state_dict() if name not in found and not _unused(name, network)]
    if missing:
        raise SalusError("start_incomplete", where=where, expected=missing[0], found=f"{len(missing)} tensors missing")
    for name, value in network.state_dict().items():
        if name in found and found[name].shape != value.shape:
            shapes = {"expected": f"{name} {list(value.shape)}", "found": str(list(found[name].shape))}
            raise SalusError("start_incomplete", where=where, **shapes)
    network.load_state_dict(found, strict=False)
    return network.eval()


def _named(network: nn.Module, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Tensors by the network's own names: a model with a head puts its own before them; old ones call two of them otherwise."""
    prefix = f"{getattr(network, 'base_model_prefix', '')}."
    wanted, found = network.state_dict(), dict[str, torch.Tensor]()
    for name, tensor in tensors.items():
        new = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
        new = new if new in wanted else new.removeprefix(prefix)
        if new in wanted:
            found[new] = tensor
    return found


def _unused(name: str, network: nn.Module) -> bool:
    """What an answer does not hang on: poolers, and counters that are no floats."""
    return name.split(".")[0] in UNUSED or not network.state_dict()[name].is_floating_point()


class Started(nn.Module):
    """A backbone with a linear head. Of numbers the head's answers are in deviations: `scale` and `shift` undo it."""

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, backbone: nn.Module, width: int, outputs: int) -> None:
        super().__init__()
        self.backbone, self.width = backbone, width
        self.head = nn.Linear(width, outputs)
        self.register_buffer("scale", torch.ones(outputs))
        self.register_buffer("shift", torch.zeros(outputs))

    @abstractmethod
    def seen(self, inputs: torch.Tensor) -> torch.Tensor:
        """What the backbone makes of rows: (B, width)."""

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        answer: torch.Tensor = self.head(self.seen(inputs)) * self.scale + self.shift
        return answer


class StartedTexts(Started):
    """Takes pieces (B, columns, L), 0 where there are none; the mean over the pieces of each column, side by side."""

    def __init__(self, backbone: nn.Module, width: int, columns: int, outputs: int) -> None:
        super().__init__(backbone, width * columns, outputs)
        self.columns = columns

    def seen(self, inputs: torch.Tensor) -> torch.Tensor:
        ids = inputs.reshape(-1, inputs.shape[2]).long()
        mask = (ids > 0).long()
        hidden = self.backbone(input_ids=ids, attention_mask=mask).last_hidden_state
        weight = mask[:, :, None].to(hidden.dtype)
        mean = (hidden * weight).sum(dim=1) / weight.sum(dim=1).clamp(min=1)
        seen: torch.Tensor = mean.reshape(-1, self.width)
        return seen


class StartedPictures(Started):
    """Takes pictures uint8 (B, H, W, C), which are brought to `side` and to the colours that the backbone is used to."""

    mean: torch.Tensor
    deviation: torch.Tensor

    def __init__(
        self, backbone: nn.Module, width: int, side: int, colours: tuple[np.ndarray, np.ndarray], outputs: int
    ) -> None:
        super().__init__(backbone, width, outputs)
        self.side = side
        self.register_buffer("mean", torch.from_numpy(colours[0].astype(np.float32)).reshape(3, 1, 1))
        self.register_buffer("deviation", torch.from_numpy(colours[1].astype(np.float32)).reshape(3, 1, 1))

    def seen(self, inputs: torch.Tensor) -> torch.Tensor:
        pixels = inputs.permute(0, 3, 1, 2).float() / 255
        pixels = pixels.expand(-1, 3, -1, -1) if pixels.shape[1] == 1 else pixels
        if pixels.shape[2:] != (self.side, self.side):
            pixels = functional.interpolate(pixels, size=(self.side, self.side), mode="bilinear", align_corners=False)
        hidden = self.backbone(pixel_values=(pixels - self.mean) / self.deviation).last_hidden_state
        seen: torch.Tensor = hidden.mean(dim=(2, 3)) if hidden.dim() == 4 else hidden[:, 0]
        return seen


class Seen(nn.Module):
    """What a backbone makes of rows, as a network of its own."""

    def __init__(self, network: Started) -> None:
        super().__init__()
        self.network = network

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.network.seen(inputs)
