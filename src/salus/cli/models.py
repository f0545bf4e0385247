"""models list, show."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from salus.cli import connection, output

app = typer.Typer(help="Trained models and their versions.", no_args_is_help=True)


@app.command("list")
def list_models(as_json: output.JsonFlag = False) -> None:
    """List the models of this project."""
    rows = connection.client().models()
    if not as_json:
        rows = [{**row, "headline": _words(row.get("headline"))} for row in rows]
    output.show(rows, as_json, ("name", "versions", "headline", "created"), "No model yet.")


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="Name of the model.")], as_json: output.JsonFlag = False) -> None:
    """Show a model with its versions."""
    output.show(connection.client().model(name), as_json)


def _words(headline: Any) -> str:
    """The main metric with its interval."""
    if not isinstance(headline, dict) or "interval" not in headline:
        return ""
    found = headline["interval"]
    return f"{headline['metric']} {found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
