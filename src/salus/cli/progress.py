"""A run as a person watches it: its events as one line each, live; Ctrl-C leaves the run going.

Knows the events of a study and how they read. Does not know how a run is started.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from salus.cli.output import clean, say

if TYPE_CHECKING:
    from salus.sdk.client import Client

Json = dict[str, Any]


def follow(client: Client, run: Json, quiet: bool) -> Json:
    """Shows the events until the run is over; gives the run. Raises ServiceError when it failed."""
    from salus.sdk.errors import ServiceError

    line = _Line(quiet)
    try:
        for event in client.watch(run["id"]):
            line.show(event["name"], event.get("fields", {}))
    except KeyboardInterrupt:
        line.end()
        say(
            f"\nThe run goes on. Watch it:  salus runs watch {run['id']}\n         or cancel it:  salus runs cancel {run['id']}"
        )
        raise SystemExit(130) from None
    line.end()
    over = client.run(run["id"])
    if over["state"] != "succeeded":
        fallback = {"code": over["state"], "detail": f"The run {run['id']} is {over['state']}.", "next": ""}
        raise ServiceError(over.get("error") or fallback, 409)
    return over


def check_path(path: str, data: Json) -> tuple[Json, Json]:
    """The DataSpec with what `salus.yaml` beside the data says, and what that says about training; a path that is not there and
    a spec that is wrong are said before anything is started or sent."""
    from pathlib import Path

    from salus.core.beside import beside, merged
    from salus.core.errors import SalusError
    from salus.core.specs import DataSpec, checked

    if path.startswith("sklearn:"):
        return data, {}
    place = Path(path) if Path(path).exists() else Path(path.partition("#")[0])
    if not place.exists():
        raise SalusError("path_missing", where=path)
    of_data, of_train = beside(place)
    data = merged(data, of_data)
    checked(DataSpec, data, "the options")
    return data, of_train


def add_data(client: Client, path: str, name: str | None, options: Json, quiet: bool) -> Json:
    """Uploads, checks and keeps data; gives the finished run."""
    from salus.cli.data import default_name

    line = _Line(quiet)

    def uploaded(sent: int, total: int) -> None:
        line.show("uploaded", {"sent": sent, "total": total})

    run = client.add_data(name or default_name(path), path, options, uploaded)
    line.end()
    return follow(client, run, quiet)


def import_model(client: Client, name: str, path: str, licence: str | None, source: str | None, quiet: bool) -> Json:
    """Uploads a large model; what the service made of it."""
    line = _Line(quiet)

    def uploaded(sent: int, total: int) -> None:
        line.show("uploaded", {"sent": sent, "total": total})

    try:
        return client.import_model(name, path, licence, source, uploaded)
    finally:
        line.end()


class _Line:
    """Steps, a line each; the steps of a training loop overwrite one line on a terminal."""

    def __init__(self, quiet: bool):
        self.quiet = quiet
        self.open = False
        self.live = sys.stdout.isatty()

    def show(self, name: str, fields: Json) -> None:
        text = sentence(name, fields)
        if self.quiet or text is None:
            return
        passing = name in ("step", "uploaded", "encoding", "rate", "checkpoint")
        if passing and not self.live:
            return
        if self.live and self.open:
            sys.stdout.write("\r\x1b[K")
            self.open = False
        if passing:
            sys.stdout.write(clean(text)[:110])
            sys.stdout.flush()
            self.open = True
        else:
            say(text)

    def end(self) -> None:
        if self.open:
            sys.stdout.write("\r\x1b[K")
            sys.stdout.flush()
            self.open = False


def sentence(name: str, fields: Json) -> str | None:
    """An event in words; None for what a person need not see."""
    match name:
        case "uploaded":
            return f"  uploaded {fields['sent'] / 1e6:.1f} of {fields['total'] / 1e6:.1f} MB"
        case "read":
            return f"  read {fields.get('rows', '')} rows"
        case "looked_at" | "put_together" | "written":
            return f"  {name.replace('_', ' ')}: {fields.get('rows')} rows so far"
        case "prepared":
            return f"  task: {fields.get('task')}; split: {fields.get('split')}; findings: {fields.get('findings')}"
        case "encoding":
            return f"  encoding {fields.get('rows')} rows of {fields.get('side')}"
        case "planned":
            fits = ", ".join(
                f"{f['learner']} ({f['expected_s']:.0f} s)" for f in fields.get("plan", {}).get("fits", [])
            )
            return f"  plan: {fits}"
        case "fitting":
            again = " from all rows" if fields.get("folds") == 0 else ""
            return f"  learning with {fields.get('learner')}{again}" if fields.get("lesson") == "final" else None
        case "fitted":
            if fields.get("lesson") != "final":
                return None
            return f"  {fields.get('learner')}: loss {fields.get('loss', 0):.4f} on rows held out, {fields.get('seconds', 0):.1f} s"
        case "measuring":
            return f"  measuring the packaged model on {fields.get('rows')} test rows"
        case "published":
            return f"  bundle {str(fields.get('bundle_hash', ''))[:12]} published and verified in a fresh process"
        case "planned_further":
            return f"  planned further: {fields.get('fits')} fits" if fields.get("fits") else None
        case "judging":
            return f"  fold {fields.get('turn')} of {fields.get('turns')}: learning without {fields.get('rows')} rows, which judge"
        case "cut":
            return f"  the clock ran out: {fields.get('skipped')} fit(s) of the plan were skipped"
        case "reading":
            return f"  reading {fields['source']}" if "source" in fields else None
        case "started_again":
            return f"  started again (attempt {fields.get('attempt')}): it goes on from what it kept"
        case "step":
            return "  " + ", ".join(f"{key} {_short(value)}" for key, value in fields.items())
    return None


def _short(value: Any) -> Any:
    return f"{value:.4g}" if isinstance(value, float) else value
