"""keys create, list, revoke."""

from __future__ import annotations

from typing import Annotated

import typer

from salus.cli import connection, output

app = typer.Typer(help="Keys: who may ask for what.", no_args_is_help=True)


@app.command("create")
def create(
    name: Annotated[str, typer.Argument(help="What the key is for.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="predict, read, write, subject:read or owner; may be repeated.")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="How long it is good for, such as 12h.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Make a key. It is shown once."""
    from salus.core.specs import parse_duration_s

    expires_s = parse_duration_s(expires) if expires else None
    output.show(connection.client().create_key(name, scope or ["predict"], expires_s), as_json)


@app.command("list")
def list_keys(as_json: output.JsonFlag = False) -> None:
    """List the keys of this project, without the keys themselves."""
    rows = connection.client().keys()
    output.show(rows, as_json, ("id", "name", "scopes", "created", "expires", "revoked"))


@app.command("revoke")
def revoke(key_id: Annotated[str, typer.Argument(help="Id of the key.")], as_json: output.JsonFlag = False) -> None:
    """Make a key worthless, now."""
    connection.client().revoke_key(key_id)
    output.show({"id": key_id, "revoked": True}, as_json)
