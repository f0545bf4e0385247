"""What a detector is taught and how it answers: maps made of boxes, the loss between maps, boxes made of maps.

A category's map is a hill at the middle of every box (Zhou et al. 2019, objects as points), learned by a focal loss (Lin et al. 2017,
Law and Deng 2018); around the middle the distances to the edges are learned by how much two boxes overlap (Rezatofighi et al. 2019,
GIoU; the weights of Liu et al. 2020). Knows maps and boxes in pixels of the frame, no pictures and no network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from salus.learners.graphs import GraphBuilder
from salus.learners.networks.detecting import STRIDE
from salus.tasks.detection import HALF, LEAST_SCORE
from salus.tasks.overlap import corners_of, matched

SPREAD = 0.54  # of a box, in which its hill and its distances lie
PLACES = 300  # that answer for a picture, the surest ones
LARGEST_LOG = 4.0  # a distance is at most exp(4) units
BOX_WEIGHT = 5.0
FOCUS, MERCY = 2.0, 4.0  # how much easy places and places near a middle are left out of account
EVEN_RANGE = (0.05, 0.9)  # what score may be made the one from which boxes are given
TINY = 1e-6


@dataclass(frozen=True)
class Maps:
    """The maps of pictures of `height` x `width` pixels: (B, K + 5, h, w): hills of K categories, the weight of the distances,
    then the distances to the left, upper, right and lower edge in pixels."""

    height: int
    width: int
    categories: int

    @property
    def rows(self) -> int:
        return self.height // STRIDE

    @property
    def columns(self) -> int:
        return self.width // STRIDE

    def of(self, boxes: Sequence[np.ndarray], codes: Sequence[np.ndarray]) -> torch.Tensor:
        maps = np.zeros((len(boxes), self.categories + 5, self.rows, self.columns), dtype=np.float32)
        for place, (corners, kinds) in enumerate(zip(boxes, codes, strict=True)):
            areas = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
            for index in np.argsort(-areas, kind="stable"):  # what is small lies on what is large
                self._add(maps[place], corners[index], int(kinds[index]))
        return torch.from_numpy(maps)

    def _add(self, maps: np.ndarray, box: np.ndarray, code: int) -> None:
        """One box: its hill is 1 at the place of its middle."""
        size = np.maximum((box[2:] - box[:2]) / STRIDE, TINY)
        middle = (box[:2] + box[2:]) / 2 / STRIDE
        centre = np.clip(middle.astype(np.int64), 0, (self.columns - 1, self.rows - 1))
        reach = (size / 2 * SPREAD).astype(np.int64)
        deviation = (2 * (size / 2 * SPREAD) + 1) / 6
        low, high = np.maximum(centre - reach, 0), np.minimum(centre + reach, (self.columns - 1, self.rows - 1))
        xs, ys = np.arange(low[0], high[0] + 1), np.arange(low[1], high[1] + 1)
        hill = np.exp(-((ys[:, None] - centre[1]) ** 2) / (2 * deviation[1] ** 2)) * np.exp(
            -((xs[None] - centre[0]) ** 2) / (2 * deviation[0] ** 2)
        )
        inside = (slice(low[1], high[1] + 1), slice(low[0], high[0] + 1))
        np.maximum(maps[code][inside], hill, out=maps[code][inside])
        k = self.categories
        maps[k][inside] = hill / hill.sum()
        x, y = (xs + 0.5) * STRIDE, (ys + 0.5) * STRIDE
        maps[k + 1][inside], maps[k + 3][inside] = (x - box[0])[None], (box[2] - x)[None]
        maps[k + 2][inside], maps[k + 4][inside] = (y - box[1])[:, None], (box[3] - y)[:, None]


@dataclass(frozen=True)
class MapLoss:
    """How far a network's maps (B, K + 4, h, w) are from those wanted (B, K + 5, h, w): one number. unit_px: of distances."""

    categories: int
    unit_px: float

    def __call__(self, output: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        k = self.categories
        return self.hills(output[:, :k], wanted[:, :k]) + BOX_WEIGHT * self.boxes(output[:, k:], wanted[:, k:])

    def hills(self, logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        said = torch.sigmoid(logits)
        top = wanted >= 1
        found = -functional.logsigmoid(logits) * (1 - said) ** FOCUS
        missed = -functional.logsigmoid(-logits) * said**FOCUS * (1 - wanted) ** MERCY
        return torch.where(top, found, missed).sum() / top.sum().clamp(min=1)

    def boxes(self, logs: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        weight, distances = wanted[:, 0], wanted[:, 1:]
        held = weight > 0
        said = distances_of(logs, self.unit_px).movedim(1, -1)[held]
        true = distances.movedim(1, -1)[held]
        share = weight[held]
        return ((1 - overlap(said, true)) * share).sum() / share.sum().clamp(min=TINY)


def distances_of(logs: torch.Tensor, unit_px: float) -> torch.Tensor:
    """Pixels to the four edges."""
    return torch.exp(logs.clamp(-LARGEST_LOG, LARGEST_LOG)) * unit_px


def overlap(said: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """The generalised intersection over union (N,) of boxes around the same places, given as distances (N, 4) to their edges.
    True distances may be negative where a place lies beside its box."""
    area = (said[:, 0] + said[:, 2]) * (said[:, 1] + said[:, 3])
    other = (true[:, 0] + true[:, 2]) * (true[:, 1] + true[:, 3])
    inner, outer = torch.minimum(said, true), torch.maximum(said, true)
    common = (inner[:, 0] + inner[:, 2]).clamp(min=0) * (inner[:, 1] + inner[:, 3]).clamp(min=0)
    union = area + other - common
    hull = (outer[:, 0] + outer[:, 2]) * (outer[:, 1] + outer[:, 3])
    return common / union.clamp(min=TINY) - (hull - union) / hull.clamp(min=TINY)


@dataclass(frozen=True)
class Reading:
    """How maps (B, K + 4, h, w) become the surest boxes (B, N, 4 + K): corners in pixels of the picture as it was sent, and how
    sure each category is: what the network says to the power of `powers` (K). Once in torch, once as nodes of the graph that serves."""

    height: int
    width: int
    categories: int
    unit_px: float
    powers: tuple[float, ...]

    @property
    def places(self) -> int:
        return (self.height // STRIDE) * (self.width // STRIDE)

    @property
    def kept(self) -> int:
        return min(PLACES, self.places)

    def centres(self) -> np.ndarray:
        """(places, 4): the middle of every place twice, in pixels of the frame."""
        ys, xs = np.mgrid[: self.height // STRIDE, : self.width // STRIDE]
        middle = (np.stack([xs.ravel(), ys.ravel()], axis=1) + 0.5) * STRIDE
        return np.concatenate([middle, middle], axis=1).astype(np.float32)

    def boxes(self, maps: torch.Tensor, sizes_B2: torch.Tensor) -> torch.Tensor:
        flat = maps.float().flatten(2).transpose(1, 2)
        sure = torch.sigmoid(flat[:, :, : self.categories]) ** torch.tensor(self.powers)
        distances = distances_of(flat[:, :, self.categories :], self.unit_px)
        corners = torch.from_numpy(self.centres()) + distances * torch.tensor([-1.0, -1.0, 1.0, 1.0])
        frame = torch.tensor([float(self.height), float(self.width)])
        factor = (frame / sizes_B2).amin(dim=1)[:, None, None]
        edge = sizes_B2.flip(1).repeat(1, 2)[:, None]  # width, height, width, height
        corners = torch.minimum((corners / factor).clamp(min=0), edge)
        best = sure.amax(dim=2).topk(self.kept, dim=1).indices
        found = torch.cat([corners, sure], dim=2)
        return found.gather(1, best[:, :, None].expand(-1, -1, found.shape[2]))

    def nodes(self, builder: GraphBuilder, maps: str, sizes: str) -> str:
        flat = builder.node("Reshape", maps, builder.constant([0, self.categories + 4, -1], np.int64))
        flat = builder.node("Transpose", flat, perm=[0, 2, 1])
        parts = builder.several("Split", 2, flat, builder.constant([self.categories, 4], np.int64), axis=2)
        sure = builder.node("Pow", builder.node("Sigmoid", parts[0]), builder.constant(self.powers))
        logs = builder.node("Clip", parts[1], builder.constant(-LARGEST_LOG), builder.constant(LARGEST_LOG))
        unit = np.array([-1, -1, 1, 1], dtype=np.float32) * np.float32(self.unit_px)
        distances = builder.node("Mul", builder.node("Exp", logs), builder.constant(unit))
        corners = builder.node("Add", builder.constant(self.centres()), distances)
        first, twice = builder.constant([1], np.int64), builder.constant([1, 0, 1, 0], np.int64)
        share = builder.node("Div", builder.constant([self.height, self.width]), sizes)
        factor = builder.node("ReduceMin", share, first, keepdims=1)
        corners = builder.node("Div", corners, builder.node("Unsqueeze", factor, first))
        edge = builder.node("Unsqueeze", builder.node("Gather", sizes, twice, axis=1), first)
        corners = builder.node("Min", builder.node("Max", corners, builder.constant(0.0)), edge)
        best = builder.node("ReduceMax", sure, builder.constant([2], np.int64), keepdims=0)
        _, places = builder.several("TopK", 2, best, builder.constant([self.kept], np.int64), axis=1)
        found = builder.node("Concat", corners, sure, axis=2)
        last = builder.constant([2], np.int64)
        return builder.node("GatherND", found, builder.node("Unsqueeze", places, last), batch_dims=1)


def even_scores(answers: np.ndarray, target: np.ndarray, levels: Sequence[str]) -> dict[str, float]:
    """The score of each category from which on boxes are best given: where the harmonic mean of the shares found and right is highest.
    Without a category's boxes it has none."""
    found: dict[str, float] = {}
    for label in levels:
        scores, right, true = list[float](), list[bool](), 0
        for said, there in zip(answers, target, strict=True):
            ours = [box for box in said if box["label"] == label]
            theirs = [box for box in there if box["label"] == label]
            scores += [box["score"] for box in ours]
            right += matched(corners_of(ours), corners_of(theirs), HALF)[0].tolist()
            true += len(theirs)
        if true and any(right):
            order = np.argsort(-np.array(scores), kind="stable")
            hits = np.cumsum(np.array(right)[order])
            best = int(np.argmax(2 * hits / (np.arange(1, len(order) + 1) + true)))
            found[label] = round(float(np.array(scores)[order][best]), 4)
    return found


def power_of(even: float) -> float:
    """To this power that score becomes the one from which boxes are given."""
    return round(float(np.log(LEAST_SCORE) / np.log(np.clip(even, *EVEN_RANGE))), 6)
