"""Batches, augmentation, rates, optimisers and checkpoints by what they give."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

import torch

from salus.training.augmentation import Augmentation
from salus.training.batches import Batches, step_generator
from salus.training.checkpoints import Checkpoint
from salus.training.optimisers import Average, make_optimiser, set_rate
from salus.training.schedule import rate_at


def pictures(count: int = 6, side: int = 8) -> torch.Tensor:
    pixels = np.random.default_rng(0).integers(0, 256, (count, side, side, 3), dtype=np.uint8)
    return torch.from_numpy(pixels)


def test_an_epoch_sees_every_row_once_in_a_new_order() -> None:
    batches = Batches(rows=20, batch_rows=5, seed=3)
    epochs = [np.concatenate([batches.rows_of(epoch * 4 + step) for step in range(4)]) for epoch in range(2)]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(20))
    assert list(epochs[0]) != list(epochs[1])


def test_a_batch_follows_from_seed_and_step_alone() -> None:
    first, second = Batches(50, 8, 1), Batches(50, 8, 1)
    for step in range(20):
        first.rows_of(step)
    assert np.array_equal(first.rows_of(13), second.rows_of(13))
    assert step_generator(1, 5).random() == step_generator(1, 5).random() != step_generator(1, 6).random()


def test_fewer_rows_than_a_batch_are_one_batch() -> None:
    assert len(Batches(3, 128, 0).rows_of(7)) == 3


def test_a_mirror_is_exact_and_comes_every_second_epoch() -> None:
    pixels, rows = pictures(), np.arange(6)
    augmentation = Augmentation(flip=True, shift=0.0, rotation_degrees=0.0, seed=0)
    epochs = [augmentation.apply(pixels, rows, epoch, step_generator(0, 0)) for epoch in range(2)]
    plain = pixels.permute(0, 3, 1, 2)
    for row in range(6):
        seen = [torch.equal(epoch[row], plain[row]) for epoch in epochs]
        turned = [torch.equal(epoch[row], plain[row].flip(2)) for epoch in epochs]
        assert sorted(seen) == [False, True]
        assert turned == [not plainly for plainly in seen]


def test_a_move_fills_with_the_nearest_pixels() -> None:
    ramp = torch.arange(8, dtype=torch.uint8).view(1, 1, 8, 1).expand(40, 8, 8, 1).contiguous()
    augmentation = Augmentation(flip=False, shift=0.25, rotation_degrees=0.0, seed=0)
    moved = augmentation.apply(ramp, np.arange(40), 0, step_generator(0, 1))[:, 0, 0]
    offsets = {int(row[4]) - 4 for row in moved}
    assert offsets == {-2, -1, 0, 1, 2}
    for row in moved:
        expected = (torch.arange(8) + (int(row[4]) - 4)).clamp(0, 7)
        assert torch.equal(row.long(), expected)


def test_a_turn_of_nothing_changes_nothing_and_a_turn_keeps_the_middle() -> None:
    pixels = pictures(side=9)
    rows = np.arange(6)
    still = Augmentation(False, 0.0, 1e-9, 0).apply(pixels, rows, 0, step_generator(0, 0))
    assert torch.allclose(still, pixels.permute(0, 3, 1, 2).float(), atol=1e-2)
    turned = Augmentation(False, 0.0, 90.0, 0).apply(pixels, rows, 0, step_generator(0, 0))
    assert torch.allclose(turned[:, :, 4, 4], still[:, :, 4, 4], atol=0.5)
    assert not torch.allclose(turned, still, atol=5)


def test_a_turned_mirror_is_a_mirror() -> None:
    pixels, rows = pictures(), np.arange(6)
    mirrored = Augmentation(True, 0.0, 1e-9, 0).apply(pixels, rows, 0, step_generator(0, 0))
    exact = Augmentation(True, 0.0, 0.0, 0).apply(pixels, rows, 0, step_generator(0, 0))
    assert torch.allclose(mirrored, exact.float(), atol=1e-2)


def test_one_cycle_rises_and_falls_to_almost_nothing() -> None:
    rates = [rate_at("one-cycle", step, 100, 0.5) for step in range(100)]
    peak = int(np.argmax(rates))
    assert 0 < rates[0] < 0.1 and rates[-1] < 0.01 and 0.45 < rates[peak] <= 0.5
    assert rates == sorted(rates[:peak]) + sorted(rates[peak:], reverse=True)
    assert {rate_at("constant", step, 100, 0.5) for step in range(100)} == {0.5}


def test_an_average_ends_between_what_it_saw() -> None:
    network = torch.nn.Linear(2, 2)
    average = Average(network, 0.9)
    with torch.no_grad():
        for step in range(200):
            for parameter in network.parameters():
                parameter.fill_(float(step))
            average.update(step)
        average.give()
    assert 185 < float(network.weight.detach()[0, 0]) < 195


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None])
def test_a_damaged_or_foreign_checkpoint_is_not_used(content: bytes | None, tmp_path: Path) -> None:
    network = torch.nn.Linear(3, 3)
    optimiser = make_optimiser("sgd", network, 0.0)
    path = tmp_path / "fit.safetensors"
    if content is None:
        Checkpoint(path, "another").write(5, {}, network.state_dict(), optimiser)
    else:
        path.write_bytes(content)
    before = network.weight.detach().clone()
    assert Checkpoint(path, "mine").restore(network.state_dict(), optimiser) == (0, {})
    assert torch.equal(before, network.weight)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_checkpoint_gives_everything_back(name: str, tmp_path: Path) -> None:
    def step(network: torch.nn.Module, optimiser: torch.optim.Optimizer) -> None:
        optimiser.zero_grad()
        network(torch.ones(2, 3)).square().sum().backward()
        set_rate(optimiser, 0.1)
        optimiser.step()

    networks = [torch.nn.Linear(3, 3) for _ in range(2)]
    optimisers = [make_optimiser(name, network, 0.01) for network in networks]
    averages = [Average(network, 0.9) for network in networks]
    for _ in range(3):
        step(networks[0], optimisers[0])
    checkpoint = Checkpoint(tmp_path / "fit.safetensors", "key")
    held = [
        network.state_dict() | {"mean": average.tensors[0]} for network, average in zip(networks, averages, strict=True)
    ]
    checkpoint.write(3, {"curve": [[1, 0.5]]}, held[0], optimisers[0])
    assert checkpoint.restore(held[1], optimisers[1]) == (3, {"curve": [[1, 0.5]]})
    for network, optimiser in zip(networks, optimisers, strict=True):
        step(network, optimiser)
    assert torch.equal(networks[0].weight, networks[1].weight)
    assert torch.equal(averages[0].tensors[0], averages[1].tensors[0])
