"""How much of the processor teaching a network uses: operations a second over those of a plain matrix product.

Operations: what `torch.utils.flop_counter.FlopCounterMode` counts in one step (forward and backward) of the `cnn` learner's network on 32 x 32
colour pictures in batches as the learner takes them. Both sides use `--threads` threads and bf16: the measured ceiling is the product of two
2048 x 2048 matrices. They take turns, `--rounds` times, each for about a second, so that what else runs meets both; the figure is the median
of the rounds' ratios. `--alone` measures on one thread by processor time, which a busy machine disturbs least.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode

from figures import Figure, write_figures
from salus.core.nouns import Column, Schema
from salus.learners.base import Part, Prepared
from salus.learners.cnn import CnnConfig, Pixels, decided, making
from salus.training.loop import Course, one_step, threads

SIDE = 2048
SECONDS = 1.0
ROWS = 4096


def main() -> None:
    asked = arguments()
    clock = time.process_time if asked.alone else time.perf_counter
    count = 1 if asked.alone else asked.threads
    found = []
    with threads(count):
        product = matrix_product()
        for width in asked.widths:
            course = course_of(width, asked.batch_rows)
            found += figures_of(width, course, product, asked.rounds, clock)
    write_figures("train_throughput", found, asked.output)


def figures_of(
    width: int, course: Course, product: Callable[[], object], rounds: int, clock: Callable[[], float]
) -> list[Figure]:
    with FlopCounterMode(display=False) as counter:
        one_step(course, 0)
    operations = counter.get_total_flops()
    steps, ceilings, ratios = [], [], []
    for _ in range(rounds):
        ceilings.append(2 * SIDE**3 / seconds_of(product, clock))
        steps.append(seconds_of(lambda: one_step(course, 0), clock))
        ratios.append(operations / steps[-1] / ceilings[-1])
    name = f"width {width}"
    return [
        Figure(f"{name}: operations a step", operations / 1e9, "10^9", None, [operations / 1e9]),
        Figure(f"{name}: a step", median(steps) * 1000, "ms", None, [step * 1000 for step in steps]),
        Figure(f"{name}: matrix product", median(ceilings) / 1e9, "10^9/s", None, [c / 1e9 for c in ceilings]),
        Figure(f"{name}: share of the matrix product", median(ratios), "x", "aim 0.7", ratios),
    ]


def seconds_of(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """Median of as many runs as fit a second, at least five."""
    work()
    began, found = time.perf_counter(), list[float]()
    while len(found) < 5 or time.perf_counter() - began < SECONDS:
        start = clock()
        work()
        found.append(clock() - start)
    return median(found)


def matrix_product() -> Callable[[], object]:
    a, b = (torch.randn(SIDE, SIDE).to(torch.bfloat16) for _ in range(2))
    return lambda: a @ b


def course_of(width: int, batch_rows: int) -> Course:
    """A fit of the learner as it begins, over pictures of noise."""
    generator = np.random.default_rng(0)
    pixels = generator.integers(0, 256, (ROWS, 32, 32, 3), dtype=np.uint8)
    state = {"height": 32, "width": 32, "channels": 3}
    schema = Schema(columns=(Column(name="image", kind="image", state=state),))
    target = generator.integers(0, 10, ROWS)
    train = Part({"image_0": pixels}, target, np.arange(ROWS))
    none = Part({"image_0": pixels[:0]}, target[:0], np.arange(0))
    prepared = Prepared(schema, train, none, True, 10, 0, torch.get_num_threads())
    options = {"width": width, "steps": 100, "precision": "bf16", "batch_rows": batch_rows, "flip": "on"}
    config = decided(CnnConfig.model_validate(options), prepared)
    course = making(config, prepared, Pixels.of(config, prepared))()
    course.network.train()
    return course


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--widths", type=int, nargs="+", default=[16, 32, 64])
    parser.add_argument("--batch-rows", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--alone", action="store_true", help="one thread, processor time")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, help="not used; the other scripts take it")
    parser.add_argument("--peer-python", help="not used; some other scripts take it")
    parser.add_argument("--output", type=Path, help="also write the figures to this file")
    return parser.parse_args()


if __name__ == "__main__":
    main()
