"""settings: every limit and place in force, with its meaning."""

from __future__ import annotations

from salus.cli import connection, output


def settings(as_json: output.JsonFlag = False) -> None:
    """Print every setting with its value and meaning. Set one by SALUS_<NAME> or in settings.json of the home."""
    found = connection.settings()
    rows = [
        {"name": name, "value": str(getattr(found, name)), "meaning": field.description}
        for name, field in type(found).model_fields.items()
    ]
    output.show(rows, as_json, ("name", "value", "meaning"))
