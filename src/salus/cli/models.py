"""models list, show."""

from __future__ import annotations

from typing import Annotated

import typer

from salus.cli import connection, output

app = typer.Typer(help="Trained models and their versions.", no_args_is_help=True)


@app.command("list")
def list_models(as_json: output.JsonFlag = False) -> None:
    """List the models of this project."""
    output.show(connection.client().models(), as_json, ("name", "versions", "headline", "created"), "No model yet.")


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="Name of the model.")], as_json: output.JsonFlag = False) -> None:
    """Show a model with its versions."""
    output.show(connection.client().model(name), as_json)
