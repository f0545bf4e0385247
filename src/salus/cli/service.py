"""up, down, status."""

from __future__ import annotations

from typing import Annotated

import typer

from salus.cli import connection, output


def up(
    background: Annotated[bool, typer.Option("--background", help="Return when it is ready; it goes on.")] = False,
) -> None:
    """Start the service on this home: control plane, model server and worker."""
    if background:
        raise typer.Exit(connection.supervisor("--background"))
    connection.become_supervisor()


def down() -> None:
    """Stop the service on this home and wait until it is gone."""
    raise typer.Exit(connection.supervisor("--down"))


def status(as_json: output.JsonFlag = False) -> None:
    """What runs on this home."""
    output.show(connection.client().status(), as_json)
