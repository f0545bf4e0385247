"""The trunk of a detector that has seen a million photographs: EfficientNet-Lite0 without its head.

Its first blocks, which see edges and colours, stay as they are; the later ones are taught further. It knows shapes, not where the weights
come from.
"""

from __future__ import annotations

import torch
from torch import nn

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.detecting import Trunk
from salus.learners.networks.efficient import STAGES, Body, nodes_of

LAST_OF_STRIDES = (2, 4, 6)  # the stages whose maps have strides 8, 16 and 32


class SeenTrunk(Trunk):
    """parts: what `efficient.backbone` gives. still: how many of the first ones (stem and blocks) are not taught further.
    channels: of the pictures."""

    def __init__(self, parts: list[nn.Module], still: int, channels: int):
        super().__init__()
        self.channels = channels
        ends = [1 + sum(stage[0] for stage in STAGES[: last + 1]) for last in LAST_OF_STRIDES]
        starts = [0, *ends[:-1]]
        self.first = Body(nn.Sequential(*parts[starts[0] : ends[0]]), 1)
        self.rest = nn.ModuleList(nn.Sequential(*parts[s:e]) for s, e in zip(starts[1:], ends[1:], strict=True))
        sizes = [STAGES[last][4] for last in LAST_OF_STRIDES]
        self.sizes = (sizes[0], sizes[1], sizes[2])
        for part in parts[:still]:
            part.requires_grad_(False)

    def maps(self, x_BCHW: torch.Tensor) -> list[torch.Tensor]:
        found = [self.first(x_BCHW)]
        for part in self.rest:
            found.append(part(found[-1]))
        return found

    def map_nodes(self, builder: GraphBuilder, value: str) -> list[str]:
        found = [self.first.nodes(builder, value, self.channels)]
        for part in self.rest:
            assert isinstance(part, nn.Sequential)
            found.append(nodes_of(builder, part, found[-1]))
        return found
