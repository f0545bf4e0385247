"""What commands print: JSON for programs, short tables for people, errors with what to do next.

Foreign text reaches a terminal without control characters. Does not know any command.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def clean(text: Any) -> str:
    """The text with anything unprintable shown as an escape."""
    return "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in str(text))


def say(text: str) -> None:
    """A line for a person."""
    typer.echo("\n".join(clean(line) for line in text.split("\n")))


def show_json(value: Any) -> None:
    """JSON whose unprintable characters are escapes, so that it may be printed on a terminal too."""
    typer.echo(json_text(value, indent=2))


def json_text(value: Any, indent: int | None = None) -> str:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return "".join(c if c.isprintable() or c == "\n" else json.dumps(c)[1:-1] for c in text)


def show_table(rows: Sequence[dict[str, Any]], columns: Sequence[str], empty: str) -> None:
    """Rows as aligned text: no colours, so that it can be piped."""
    if not rows:
        say(empty)
        return
    cells = [[clean(column).upper() for column in columns]]
    cells += [[clean("" if row.get(column) is None else row.get(column))[:60] for column in columns] for row in rows]
    widths = [max(len(line[index]) for line in cells) for index in range(len(columns))]
    for line in cells:
        typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def show(value: Any, as_json: bool, columns: Sequence[str] = (), empty: str = "Nothing yet.") -> None:
    """A list as a table or JSON; a record as lines or JSON."""
    if as_json:
        show_json(value)
    elif isinstance(value, list):
        show_table(value, columns, empty)
    else:
        for line in _lines(value, 0):
            say(line)


def _lines(record: dict[str, Any], depth: int) -> list[str]:
    """A record as `name: value`; records in it, and lists of them, two spaces further in."""
    space, lines = "  " * depth, list[str]()
    for name, item in record.items():
        if isinstance(item, dict) and item:
            lines += [f"{space}{name}:", *_lines(item, depth + 1)]
        elif isinstance(item, list) and item and all(isinstance(one, dict) and one for one in item):
            lines.append(f"{space}{name}:")
            for one in item:
                first, *rest = _lines(one, depth + 2)
                lines += [f"{space}  - {first.strip()}", *rest]
        else:
            lines.append(f"{space}{name}: {json_text(item) if isinstance(item, dict | list) else item}")
    return lines


def fail(code: str, text: str, remedy: str, as_json: bool = False) -> None:
    """The last thing of a command that could not."""
    if as_json:
        show_json({"error": {"code": code, "detail": text, "next": remedy}})
    else:
        sys.stderr.write(f"{clean(text)}\n")
        if remedy:
            sys.stderr.write(f"{clean(remedy)}\n")
        sys.stderr.write(f"[{clean(code)}]\n")
