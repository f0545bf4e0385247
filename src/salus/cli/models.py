"""models list, show, import."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from salus.cli import connection, output

app = typer.Typer(help="Models and their versions.", no_args_is_help=True)


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


@app.command("import")
def import_model(
    name: Annotated[str, typer.Argument(help="Name of the model.")],
    path: Annotated[
        str, typer.Argument(help="A GGUF file, or a folder with config.json, tokenizer.json and safetensors.")
    ],
    licence: Annotated[str | None, typer.Option(help="Its licence; without it what its files say.")] = None,
    source: Annotated[str | None, typer.Option(help="Where it comes from; the name of the path without it.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Bring a ready-made large model in. Nothing of it is run; its structure and hashes are checked and signed."""
    from salus.cli import progress

    found = progress.import_model(connection.running_client(as_json), name, path, licence, source, as_json)
    facts = {} if as_json else found.pop("large")
    output.show({**found, **facts}, as_json)


def _words(headline: Any) -> str:
    """The main metric with its interval."""
    if not isinstance(headline, dict) or "interval" not in headline:
        return ""
    found = headline["interval"]
    return f"{headline['metric']} {found['value']:.3f} ({found['low']:.3f} to {found['high']:.3f})"
