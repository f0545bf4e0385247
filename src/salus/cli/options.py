"""Options that several commands share: how data are read, and what is trained. Each group is one function whose parameters are
the flags and whose result is the spec that they say; `taking` puts its flags among those of a command.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

Json = dict[str, Any]


def taking(**groups: Callable[..., Json]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The command also takes the flags of each group; it is given what the group makes of them under the group's name."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        own = inspect.signature(command, eval_str=True)
        flags = {name: inspect.signature(group, eval_str=True).parameters for name, group in groups.items()}

        def wrapped(**given: Any) -> None:
            made = {name: group(**{flag: given.pop(flag) for flag in flags[name]}) for name, group in groups.items()}
            command(**given, **made)

        kept = [parameter for name, parameter in own.parameters.items() if name not in groups]
        added = [parameter for parameters in flags.values() for parameter in parameters.values()]
        every = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in (*kept, *added)]
        wrapped.__signature__ = inspect.Signature(every)  # type: ignore[attr-defined]
        wrapped.__doc__ = command.__doc__
        wrapped.__annotations__ = {parameter.name: parameter.annotation for parameter in every}
        return wrapped

    return decorate


def data_flags(
    delimiter: Annotated[str | None, typer.Option(help="What stands between the fields of a text table.")] = None,
    encoding: Annotated[str | None, typer.Option(help="Encoding of a text table; UTF-8 without it.")] = None,
    header: Annotated[bool, typer.Option(help="Whether the first line names the columns; else c0, c1, ...")] = True,
    missing: Annotated[
        list[str] | None, typer.Option(help="A text that means missing, such as '?'; may be repeated.")
    ] = None,
    kind: Annotated[list[str] | None, typer.Option(help="COLUMN=KIND, overriding what is recognised.")] = None,
    role: Annotated[list[str] | None, typer.Option(help="COLUMN=ROLE: input, ignore, split, group or weight.")] = None,
    unit: Annotated[list[str] | None, typer.Option(help="COLUMN=UNIT, such as weight=kg.")] = None,
    join: Annotated[list[str] | None, typer.Option(help="Another file whose columns are added; needs --on.")] = None,
    on: Annotated[list[str] | None, typer.Option(help="Column that both files have, one for each --join.")] = None,
    recording: Annotated[
        str | None, typer.Option(help="Column that says which recording a row is a sample of (one long table).")
    ] = None,
    recording_time: Annotated[str | None, typer.Option(help="Column of the time of a sample.")] = None,
    rate_hz: Annotated[float | None, typer.Option(help="Samples a second of recordings.")] = None,
    window_s: Annotated[float | None, typer.Option(help="Seconds of a recording that are seen at once.")] = None,
    stride_s: Annotated[float | None, typer.Option(help="Seconds from one window to the next.")] = None,
) -> Json:
    """The DataSpec that the flags say."""
    from salus.core.errors import SalusError

    joins, keys = join or [], on or []
    if len(joins) != len(keys):
        raise SalusError("bad_spec", where="--join", expected="one --on for each --join", found=f"{len(keys)} --on")
    said: Json = {
        "delimiter": delimiter,
        "encoding": encoding,
        "header": None if header else False,
        "missing": missing or None,
        "kinds": _pairs(kind, "--kind", "COLUMN=KIND"),
        "roles": _pairs(role, "--role", "COLUMN=ROLE"),
        "units": _pairs(unit, "--unit", "COLUMN=UNIT"),
        "join": [{"path": path, "on": key} for path, key in zip(joins, keys, strict=True)] or None,
        "recording": {"id": recording, "time": recording_time} if recording else None,
        "rate_hz": rate_hz,
        "window_s": window_s,
        "stride_s": stride_s,
    }
    return {name: value for name, value in said.items() if value is not None}


def train_flags(
    target: Annotated[
        list[str] | None, typer.Option(help="Column to predict; repeat for several numbers at once.")
    ] = None,
    task: Annotated[
        str | None, typer.Option(help="What is learned, where the kinds of the columns leave a choice.")
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Column of people, patients or sessions that must not lie on two sides.")
    ] = None,
    find_group: Annotated[
        bool | None, typer.Option("--find-group/--no-find-group", help="Use a column of people that the data show.")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Column that says train, validation or test.")] = None,
    split_at: Annotated[
        list[str] | None,
        typer.Option(help="Of a forecast: row or moment at which choosing, judging (and their end) begin."),
    ] = None,
    horizon: Annotated[int | None, typer.Option(help="Forecast so many steps ahead.")] = None,
    history: Annotated[int | None, typer.Option(help="Steps that a forecast looks back, at most 512.")] = None,
    known: Annotated[
        list[str] | None, typer.Option(help="Column that is known of the steps ahead too; may be repeated.")
    ] = None,
    new_series: Annotated[
        bool | None, typer.Option("--new-series/--same-series", help="Judge forecasts on series that were never seen.")
    ] = None,
    time: Annotated[str | None, typer.Option(help="Column of times: the latest rows judge.")] = None,
    ignore: Annotated[list[str] | None, typer.Option(help="Column to leave out; may be repeated.")] = None,
    learner: Annotated[str | None, typer.Option(help="auto, or the name of a learner, such as linear.")] = None,
    start: Annotated[
        str | None, typer.Option("--from", help="Folder with a model of transformers to start from.")
    ] = None,
    budget: Annotated[str | None, typer.Option(help="How long learning may take: 90s, 5m (the default) or 1h.")] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE of the learner's own options; may be repeated.")
    ] = None,
    recipe: Annotated[str | None, typer.Option(help="A recipe, such as cifar10_keras_cnn.")] = None,
    max_latency: Annotated[str | None, typer.Option(help="Longest time for one row, such as 5ms.")] = None,
    contrast: Annotated[
        bool | None, typer.Option("--contrast/--no-contrast", help="Also measure what a random split would claim.")
    ] = None,
    positive: Annotated[str | None, typer.Option(help="Label whose threshold is chosen (of two labels).")] = None,
    sensitivity: Annotated[float | None, typer.Option(help="Share of the positive rows to find.")] = None,
    specificity: Annotated[float | None, typer.Option(help="Share of the other rows to leave alone.")] = None,
    missed_cost: Annotated[float | None, typer.Option(help="Cost of a positive row that is missed.")] = None,
    alarm_cost: Annotated[float | None, typer.Option(help="Cost of a false alarm.")] = None,
    coverage: Annotated[float | None, typer.Option(help="Share of rows to answer; the least sure are not.")] = None,
    policy: Annotated[str | None, typer.Option(help="What the gate demands, as JSON or @FILE.")] = None,
    seed: Annotated[int | None, typer.Option(help="Decides everything that is drawn.")] = None,
) -> Json:
    """The TrainSpec that the flags say."""
    from salus.core.specs import parse_duration_s, parse_milliseconds

    costs = {
        "sensitivity": sensitivity,
        "specificity": specificity,
        "missed_cost": missed_cost,
        "alarm_cost": alarm_cost,
    }
    threshold = {"positive": positive} | {name: value for name, value in costs.items() if value is not None}
    said: Json = {
        "target": target or None,
        "task": task,
        "group": group,
        "find_group": find_group,
        "split": split,
        "split_at": [int(border) if border.isdigit() else border for border in split_at or []] or None,
        "horizon": horizon,
        "history": history,
        "known": known or None,
        "new_series": new_series,
        "time": time,
        "ignore": ignore or None,
        "learner": learner,
        "start": str(Path(start).expanduser().resolve()) if start else None,
        "options": dict(_option(entry) for entry in option or []) or None,
        "budget_s": parse_duration_s(budget) if budget else None,
        "recipe": recipe,
        "max_latency_ms": parse_milliseconds(max_latency) if max_latency else None,
        "contrast": contrast,
        "threshold": threshold if positive or len(threshold) > 1 else None,
        "coverage": coverage,
        "policy": _json_or_file(policy) if policy else None,
        "seed": seed,
    }
    return {name: value for name, value in said.items() if value is not None}


def with_target(spec: Json) -> Json:
    """The spec, or `bad_spec` when nobody said what is to be predicted."""
    from salus.core.errors import SalusError

    if not spec.get("target"):
        raise SalusError("bad_spec", where="--target", expected="a column to predict", found="none")
    return spec


def _pairs(entries: list[str] | None, flag: str, form: str) -> dict[str, str] | None:
    from salus.core.errors import SalusError

    found = {}
    for entry in entries or []:
        column, equals, value = entry.rpartition("=")
        if not equals or not column:
            raise SalusError("bad_spec", where=flag, expected=form, found=entry)
        found[column] = value
    return found or None


def _option(entry: str) -> tuple[str, Any]:
    """NAME=VALUE; the value is JSON where it can be, else text."""
    import json

    from salus.core.errors import SalusError

    name, equals, value = entry.partition("=")
    if not equals:
        raise SalusError("bad_spec", where="--option", expected="NAME=VALUE", found=entry)
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _json_or_file(text: str) -> Any:
    import json
    from pathlib import Path

    from salus.core.errors import SalusError

    try:
        return json.loads(Path(text[1:]).read_text(encoding="utf-8") if text.startswith("@") else text)
    except ValueError:
        raise SalusError("bad_spec", where="--policy", expected="JSON, or @FILE with JSON", found=text[:60]) from None
