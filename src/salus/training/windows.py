"""Windows of recordings changed so that they stay what they are: louder, noisier, later, worn another way. Whole batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class WindowAugmentation:
    """scaling: deviation of the logarithm of a factor on all channels. jitter: deviation of noise, in deviations of the channel. shift: most share of
    a window by which it is moved in time, its ends repeated. rotation: turn every three channels in space, as a sensor that is worn
    another way (Um et al. 2017)."""

    scaling: float
    jitter: float
    shift: float
    rotation: bool

    def apply(self, windows_BCT: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
        x = self._moved(windows_BCT, generator) if self.shift > 0 else windows_BCT
        count, channels, _ = x.shape
        if self.rotation and channels >= 3:
            x = _turned(x, generator)
        if self.scaling > 0:
            factors = np.exp(generator.normal(0, self.scaling, (count, 1, 1))).astype(np.float32)
            x = x * torch.from_numpy(factors)
        if self.jitter > 0:
            noise = generator.standard_normal(tuple(x.shape), dtype=np.float32)
            x = x + torch.from_numpy(noise) * self.jitter
        return x

    def _moved(self, windows_BCT: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
        count, channels, steps = windows_BCT.shape
        most = round(self.shift * steps)
        offsets = generator.integers(-most, most + 1, count)
        at = np.clip(np.arange(steps) + offsets[:, None], 0, steps - 1)
        index = torch.from_numpy(at)[:, None].expand(count, channels, steps)
        return windows_BCT.gather(2, index)


def _turned(windows_BCT: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
    """One rotation a window, evenly of all there are, for each three channels; what is left over stays."""
    count, channels, steps = windows_BCT.shape
    threes = channels // 3
    turns = torch.from_numpy(_rotations(count, generator))
    spatial = windows_BCT[:, : 3 * threes].reshape(count, threes, 3, steps)
    turned = torch.einsum("bij,bnjt->bnit", turns, spatial).reshape(count, 3 * threes, steps)
    return torch.cat([turned, windows_BCT[:, 3 * threes :]], dim=1)


def _rotations(count: int, generator: np.random.Generator) -> np.ndarray:
    """(B, 3, 3) float32, from unit quaternions."""
    q = generator.standard_normal((count, 4))
    w, x, y, z = (q / np.linalg.norm(q, axis=1, keepdims=True)).T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    turns: np.ndarray = np.transpose(np.array(rows), (2, 0, 1)).astype(np.float32)
    return turns
