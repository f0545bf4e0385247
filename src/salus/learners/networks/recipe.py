"""The convolutional network of many a first lesson: two convolutions without padding, two poolings, two dense layers."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

DENSE = 64


class RecipeNetwork(nn.Module):
    """x_BCHW (0 to 255) -> scores_BK. Weights start as Glorot proposed, uniform; biases at nothing."""

    def __init__(self, shape_HWC: tuple[int, int, int], outputs: int, width: int):
        super().__init__()
        height, width_px, channels = shape_HWC
        self.first = nn.Conv2d(channels, width, 3)
        self.second = nn.Conv2d(width, 2 * width, 3)
        sides = [((side - 2) // 2 - 2) // 2 for side in (height, width_px)]
        self.dense = nn.Linear(2 * width * sides[0] * sides[1], DENSE)
        self.last = nn.Linear(DENSE, outputs)
        for layer in (self.first, self.second, self.dense, self.last):
            nn.init.xavier_uniform_(layer.weight)
            assert layer.bias is not None
            nn.init.zeros_(layer.bias)

    def forward(self, x_BCHW: torch.Tensor) -> torch.Tensor:
        x = x_BCHW.float() / 255
        x = functional.max_pool2d(functional.relu(self.first(x)), 2)
        x = functional.max_pool2d(functional.relu(self.second(x)), 2)
        scores: torch.Tensor = self.last(functional.relu(self.dense(x.flatten(1))))
        return scores

    def folded(self) -> nn.Module:
        """As it is exported."""
        return self


MIN_SIDE = 10  # smaller pictures leave nothing after two convolutions and poolings
