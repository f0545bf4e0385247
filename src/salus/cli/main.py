"""The command `salus`: which commands there are, and what happens to an error that one of them meets."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from salus import __version__
from salus.cli import connection, data, doctor, endpoints, keys, launch, models, output, runs, service, settings, train

app = typer.Typer(
    name="salus",
    help="AI models as a service, on your own machines.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=True,
)
app.command("launch")(launch.launch)
app.add_typer(data.app, name="data")
app.command("train")(train.train)
app.add_typer(runs.app, name="runs")
app.command("report")(runs.report)
app.command("explain")(runs.explain)
app.add_typer(models.app, name="models")
app.command("deploy")(endpoints.deploy)
app.add_typer(endpoints.app, name="endpoints")
app.command("predict")(endpoints.predict)
app.add_typer(keys.app, name="keys")
app.command("settings")(settings.settings)
app.command("doctor")(doctor.doctor)
app.command("up")(service.up)
app.command("down")(service.down)
app.command("status")(service.status)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """AI models as a service, on your own machines."""


def main() -> None:
    """Runs a command; exits 0, 1 for what could not be done, 2 for words that no command takes, 130 for Ctrl-C."""
    as_json = "--json" in sys.argv
    try:
        app()
    except ValueError as error:
        code = getattr(error, "code", None)
        if not isinstance(code, str):
            raise
        if hasattr(error, "detail") and callable(error.detail):
            language = os.environ.get("SALUS_LANGUAGE", "en")
            output.fail(code, error.detail(language), error.remedy(language), as_json)  # type: ignore[attr-defined]
        else:
            output.fail(code, str(getattr(error, "detail", error)), str(getattr(error, "next", "")), as_json)
        sys.exit(1)
    except BrokenPipeError:
        sys.exit(1)
    except OSError as error:
        output.fail("file_trouble", f"{error.filename}: {error.strerror}.", "Check the path and the rights.", as_json)
        sys.exit(1)
    finally:
        connection.close()


if __name__ == "__main__":
    main()
