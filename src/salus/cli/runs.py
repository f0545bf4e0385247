"""runs list, show, watch, cancel; report."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from salus.cli import connection, output, progress
from salus.cli.data import finding_line
from salus.core.explain import groups_word

if TYPE_CHECKING:
    from salus.sdk.client import Client

app = typer.Typer(help="Runs: what was asked for and what became of it.", no_args_is_help=True)
RunId = Annotated[str, typer.Argument(help="Id of the run.")]


@app.command("list")
def list_runs(as_json: output.JsonFlag = False) -> None:
    """List the runs of this project, newest first."""
    output.show(connection.client().runs(), as_json, ("id", "kind", "state", "created", "finished"), "No run yet.")


@app.command("show")
def show(run: RunId, as_json: output.JsonFlag = False) -> None:
    """Show one run."""
    output.show(connection.client().run(run), as_json)


@app.command("watch")
def watch(run: RunId, as_json: output.JsonFlag = False) -> None:
    """Show what happens until the run is over. Ctrl-C leaves it going."""
    client = connection.client()
    over = progress.follow(client, client.run(run), quiet=as_json)
    output.show(over["result"] or {}, as_json)


@app.command("cancel")
def cancel(run: RunId, as_json: output.JsonFlag = False) -> None:
    """Stop a run."""
    output.show(connection.client().cancel(run), as_json)


def report(
    run: RunId,
    html: Annotated[Path | None, typer.Option(help="Write the page to this file.")] = None,
    open_path: Annotated[
        bool, typer.Option("--open-path", help="Keep the page in the home and print only its path, to open it.")
    ] = False,
    language: Annotated[
        str | None, typer.Option(help="Of the page: en or zh; without it the setting 'language'.")
    ] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Print the main figures of a run's report, all of it with --json, or write the page with --html."""
    client = connection.client()
    if open_path:
        typer.echo(save_report(client, run, language))
        return
    if html is not None:
        html.write_text(client.report_html(run, language), encoding="utf-8")
        output.say(f"The report: {html}")
        return
    found = client.report(run)
    if as_json:
        output.show_json(found)
        return
    for line in report_lines(found):
        output.say(line)


def explain(
    run: RunId,
    language: Annotated[str | None, typer.Option(help="en or zh; without it the setting 'language'.")] = None,
    as_json: output.JsonFlag = False,
) -> None:
    """Say in plain words what was tried, what won and why, and what more time or data would bring."""
    from salus.core.explain import explain as sentences

    found = sentences(connection.client().report(run), language or connection.settings().language)
    if as_json:
        output.show_json({"sentences": found})
        return
    for line in found or ["The report of this run does not say how its model was chosen."]:
        output.say(line)


def save_report(client: Client, run: str, language: str | None = None) -> Path:
    """Keeps the page of a run's report in the home; gives its path."""
    from salus.core.ids import name_from

    folder = connection.settings().home / "reports"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    page = folder / f"{name_from(run, 'run')}.html"
    page.write_text(client.report_html(run, language), encoding="utf-8")
    return page


def page_of(client: Client, run: str) -> str | None:
    """Where the page of the report was kept; None with a key that may not see the rows in it."""
    from salus.sdk.errors import ServiceError

    try:
        return str(save_report(client, run))
    except ServiceError as error:
        if error.code != "forbidden":
            raise
        return None


def show_outcome(report: dict[str, Any], page: str | None) -> None:
    """What a person wants to know when a run is over: how good, what was found, what the gate says, where the page lies."""
    for line in report_lines(report):
        output.say(line)
    for finding in report.get("findings", []):
        if finding["severity"] != "info":
            output.say("  " + finding_line(finding))
    for reason in report.get("gate", {}).get("reasons", []):
        output.say(f"  gate: {reason}")
    output.say(f"The report: {page}" if page else "The page of the report needs a key with the scope subject:read.")


def headline(report: dict[str, Any]) -> str:
    """How good the model is, in one sentence."""
    found = report["headline"]
    interval, nothing = found["interval"], found.get("baseline")
    who = f"{found.get('rows')} rows" + (f" of {found['groups']} {groups_word(report)}" if found.get("groups") else "")
    wide = ", wide: only few" if interval.get("wide") else ""
    beside = f"; doing nothing gives {nothing:.3g}" if isinstance(nothing, int | float) else ""
    between = f"95 % interval {interval['low']:.3g} to {interval['high']:.3g}{wide}"
    return f"On {who} it never saw: {found['metric']} {interval['value']:.3g} ({between}){beside}."


def report_lines(report: dict[str, Any]) -> list[str]:
    """The headline, then the figures: metric, value, interval, beside the do-nothing baseline; then what was asked for."""
    metrics, baseline = report["metrics"], report["baseline"]
    lines = [headline(report)]
    for name, found in metrics.items():
        nothing = baseline.get(name)
        beside = f"; doing nothing {nothing['value']:.3f}" if nothing else ""
        wide = " (wide: few people or rows)" if found.get("wide") else ""
        lines.append(
            f"  {name}: {found['value']:.3f} (95 % interval {found['low']:.3f} to {found['high']:.3f}){wide}{beside}"
        )
    return lines + _decision_lines(report)


def _decision_lines(report: dict[str, Any]) -> list[str]:
    """What the threshold and the coverage that were asked for bring on the rows that judged."""
    lines = []
    decision, abstention = report.get("decision") or {}, report.get("abstention") or {}
    if decision.get("threshold") is not None:  # the report has the curves without being asked too
        lines.append(f"  '{decision['level']}' is said from a probability of {decision['threshold']:.3g} on:")
        lines += [f"    {name}: {_between(found)}" for name, found in decision["figures"].items() if found]
        if not decision["reached"]:
            lines.append("    The rows held out could not have what was asked for; this misses least.")
    if abstention.get("below") is not None:
        share, right = abstention["coverage"], abstention["accuracy"]
        told = f"  It answers {_between(share)} of the rows"
        lines.append(told + (f"; of these it is right in {_between(right)}." if right else "."))
    return lines


def _between(found: dict[str, Any]) -> str:
    return f"{found['value']:.3f} (95 % interval {found['low']:.3f} to {found['high']:.3f})"
