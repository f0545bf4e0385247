"""What the owner of the data should know of how it was read: findings made of the facts that a source gave."""

from __future__ import annotations

from typing import Any

from salus.core.nouns import Finding, Severity

LEFT_OUT = {  # of pictures with boxes
    "missing_pictures": ("pictures_missing", Severity.WARNING),
    "boxes_without_picture": ("boxes_without_picture", Severity.WARNING),
    "unknown_categories": ("boxes_unknown_category", Severity.WARNING),
    "crowds": ("boxes_crowds", Severity.INFO),
}


def told(facts: dict[str, Any]) -> list[Finding]:
    """A first line that may be a row; rows that found nothing in a joined file; a column whose name differs between the sides;
    boxes that were left out."""
    found: list[Finding] = []
    files = ", ".join(facts.get("files", ()))[:120]
    if "hint" in facts:
        found.append(Finding(code="first_line_is_numbers", severity=Severity.WARNING, parameters={"where": files}))
    for joined in facts.get("joined", ()):
        if count := joined["unmatched_rows"]:
            parameters = {"where": joined["file"], "expected": joined["on"], "found": count}
            found.append(
                Finding(
                    code="join_unmatched",
                    severity=Severity.WARNING,
                    columns=(joined["on"],),
                    count=count,
                    parameters=parameters,
                )
            )
    for old, new in facts.get("renamed", {}).items():
        parameters = {"where": files, "expected": new, "found": old}
        found.append(Finding(code="column_renamed", severity=Severity.INFO, columns=(new,), parameters=parameters))
    for name, count in facts.get("left_out", {}).items():
        code, severity = LEFT_OUT[name]
        found.append(Finding(code=code, severity=severity, count=count, parameters={"where": files, "found": count}))
    return found
