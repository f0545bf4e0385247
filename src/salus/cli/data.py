"""data add, list, show."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from salus.cli import connection, options, output, progress

app = typer.Typer(help="Data sets and their versions.", no_args_is_help=True)


@app.command("add")
@options.taking(data=options.data_flags)
def add(
    path: Annotated[
        str, typer.Argument(help="A file, a folder, PATH#MEMBER, or a bundled set such as sklearn:digits.")
    ],
    data: options.Json,
    name: Annotated[str | None, typer.Option(help="Name of the data set; from the path without it.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Upload data, check it and keep it as an immutable version."""
    data = progress.check_path(path, data)[0]
    client = connection.running_client(as_json)
    run = progress.add_data(client, path, name, data, as_json)
    result = run["result"] or {}
    output.show(result, as_json)
    if not as_json and result.get("data_set"):
        for finding in client.data_set(result["data_set"])["versions"][0].get("findings") or []:
            output.say(finding_line(finding))


@app.command("list")
def list_data(as_json: output.JsonFlag = False) -> None:
    """List the data sets of this project."""
    output.show(connection.client().data_sets(), as_json, ("name", "versions", "rows", "created"), "No data yet.")


@app.command("show")
def show(name: Annotated[str, typer.Argument(help="Name of the data set.")], as_json: output.JsonFlag = False) -> None:
    """Show columns and findings of the newest version."""
    found = connection.client().data_set(name)
    if as_json:
        output.show_json(found)
        return
    newest = found["versions"][0] if found["versions"] else {}
    output.say(
        f"{name}: {len(found['versions'])} version(s); newest {str(newest.get('hash'))[:12]}, {newest.get('rows')} rows"
    )
    columns = (newest.get("schema") or {}).get("columns", [])
    output.show_table(columns, ("name", "kind", "role"), "No columns.")
    for finding in newest.get("findings") or []:
        output.say(finding_line(finding))


def finding_line(finding: dict[str, Any]) -> str:
    """One finding in words."""
    from salus.core.errors import SalusError

    try:
        text = SalusError(finding["code"], **finding.get("parameters", {})).text()
    except AssertionError:
        text = str(finding["code"])
    return f"{finding['severity']}: {text}"


def default_name(path: str) -> str:
    """A name made of the path."""
    from salus.core.ids import name_from

    if path.startswith("sklearn:"):
        return name_from(path.removeprefix("sklearn:").replace("_", "-"))
    return name_from(Path(path.partition("#")[0]).resolve().stem)
