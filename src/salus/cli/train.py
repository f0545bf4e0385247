"""train: a run on a data set that is already there."""

from __future__ import annotations

from typing import Annotated

import typer

from salus.cli import connection, options, output, progress, runs


@options.taking(spec=options.train_flags)
def train(
    data_set: Annotated[str, typer.Argument(help="Name of a data set.")],
    spec: options.Json,
    model: Annotated[str | None, typer.Option(help="Name of the model; that of the data set without it.")] = None,
    wait: Annotated[bool, typer.Option(help="Show what happens until it is over.")] = True,
    as_json: output.JsonFlag = False,
) -> None:
    """Train a model on a data set."""
    spec = options.with_target(spec)
    client = connection.running_client(as_json)
    run = client.train(data_set, spec, model)
    if wait:
        run = progress.follow(client, run, as_json)
    if not wait or as_json:
        output.show(run, as_json)
        return
    made = run["result"]
    runs.show_outcome(client.report(run["id"]), runs.page_of(client, run["id"]))
    output.say(f"Model '{made['model']}', version {made['version']}, from {run['id']}.")
    output.say(f"'salus explain {run['id']}' says why it won; 'salus deploy {made['model']}' lets it answer.")
