"""train: a run on a data set that is already there."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from salus.cli import connection, output, progress

Target = Annotated[list[str], typer.Option(help="Column to predict; repeat for several numbers at once.")]
Group = Annotated[
    str | None, typer.Option(help="Column of people, patients or sessions that must not lie on two sides.")
]
Split = Annotated[str | None, typer.Option(help="Column that says train, validation or test.")]
Ignore = Annotated[list[str] | None, typer.Option(help="Column to leave out; may be repeated.")]
LearnerName = Annotated[str, typer.Option(help="auto, linear, boosting, cnn or rocket.")]
Budget = Annotated[str, typer.Option(help="How long learning may take, such as 90s, 5m or 1h.")]
Option = Annotated[list[str] | None, typer.Option(help="NAME=VALUE of the learner's own options; may be repeated.")]
Recipe = Annotated[str | None, typer.Option(help="A recipe, such as cifar10_keras_cnn.")]
Seed = Annotated[int, typer.Option(help="Decides everything that is drawn.")]


def train(
    data_set: Annotated[str, typer.Argument(help="Name of a data set.")],
    target: Target,
    group: Group = None,
    split: Split = None,
    ignore: Ignore = None,
    learner: LearnerName = "auto",
    budget: Budget = "5m",
    option: Option = None,
    recipe: Recipe = None,
    seed: Seed = 0,
    model: Annotated[str | None, typer.Option(help="Name of the model; that of the data set without it.")] = None,
    wait: Annotated[bool, typer.Option(help="Show what happens until it is over.")] = True,
    as_json: output.JsonFlag = False,
) -> None:
    """Train a model on a data set."""
    client = connection.running_client(as_json)
    run = client.train(data_set, spec(target, group, split, ignore, learner, budget, option, recipe, seed), model)
    if wait:
        run = progress.follow(client, run, as_json)
    output.show(run, as_json)


def spec(
    target: list[str],
    group: str | None,
    split: str | None,
    ignore: list[str] | None,
    learner: str,
    budget: str,
    option: list[str] | None,
    recipe: str | None,
    seed: int,
) -> dict[str, Any]:
    """The TrainSpec that the flags say."""
    from salus.core.specs import parse_duration_s

    return {
        "target": target,
        "group": group,
        "split": split,
        "ignore": ignore or [],
        "learner": learner,
        "options": dict(_option(entry) for entry in option or []),
        "budget_s": parse_duration_s(budget),
        "recipe": recipe,
        "seed": seed,
    }


def _option(entry: str) -> tuple[str, Any]:
    """NAME=VALUE; the value is JSON where it can be, else text."""
    import json

    from salus.core.errors import SalusError

    name, equals, value = entry.partition("=")
    if not equals:
        raise SalusError("bad_spec", where="--option", expected="NAME=VALUE", found=entry)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
