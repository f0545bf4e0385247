"""deploy, endpoints list and show, predict."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from salus.cli import connection, output

app = typer.Typer(help="Endpoints: names that answer.", no_args_is_help=True)


def deploy(
    model: Annotated[str, typer.Argument(help="Name of the model.")],
    version: Annotated[int | None, typer.Option(help="Its version; the newest without it.")] = None,
    endpoint: Annotated[str | None, typer.Option(help="Name of the endpoint; that of the model without it.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Let an endpoint answer with a model version; returns when it does."""
    client = connection.client()
    if version is None:
        version = max(int(found["number"]) for found in client.model(model)["versions"])
    output.show(client.deploy(endpoint or model, model, version), as_json)


@app.command("list")
def list_endpoints(as_json: output.JsonFlag = False) -> None:
    """List the endpoints of this project."""
    output.show(connection.client().endpoints(), as_json, ("name", "model", "version", "state"), "No endpoint yet.")


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="Name of the endpoint.")], as_json: output.JsonFlag = False) -> None:
    """Show what an endpoint takes and gives."""
    output.show(connection.client().endpoint(name), as_json)


@app.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="Name of the endpoint.")], as_json: output.JsonFlag = False
) -> None:
    """Take an endpoint away; the model stays."""
    connection.client().remove_endpoint(name)
    output.show({"name": name, "removed": True}, as_json)


def predict(
    endpoint: Annotated[str, typer.Argument(help="Name of the endpoint.")],
    source: Annotated[str, typer.Argument(help="A picture, a JSON file, or JSON: a row or a list of rows.")],
    as_json: output.JsonFlag = False,
) -> None:
    """Ask an endpoint."""
    import mimetypes

    from salus.core.wire import parse_json

    client = connection.client()
    text, where = source, "the row"
    if not source.lstrip().startswith(("{", "[")):
        path = Path(source)
        content_type = mimetypes.guess_type(source)[0] or ""
        if not path.is_file():
            from salus.core.errors import SalusError

            raise SalusError("path_missing", where=source)
        if content_type.startswith("image/"):
            output.show(client.predict_picture(endpoint, path.read_bytes(), content_type), as_json)
            return
        text, where = path.read_text(encoding="utf-8"), source
    rows = parse_json(text, where)
    if isinstance(rows, dict):
        rows = rows.get("rows", [rows])
    predictions = client.predict(endpoint, rows)
    output.show_json(predictions)
