"""Models and the reports of their versions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from salus.actions.principal import Principal
from salus.core.errors import SalusError
from salus.store import models, runs
from salus.store.clock import rfc3339
from salus.store.records import Records

REPORT, REPORT_PAGE = "report.json", "report.html"
PAGES = {"en": REPORT_PAGE, "zh": "report.zh.html"}
SHOWS_ROWS = ("errors", "saliency")  # parts of a report that hold rows of the data


def every(principal: Principal, records: Records) -> list[dict[str, Any]]:
    principal.require("read")

    def question(connection: Connection) -> list[dict[str, Any]]:
        shown = []
        for row in models.of_project(connection, principal.project):
            newest = models.versions(connection, principal.project, row["name"])[0]
            shown.append(
                {
                    "name": row["name"],
                    "created": rfc3339(row["created"]),
                    "versions": newest["number"],
                    "headline": newest["headline"],
                    "gate": newest["gate"],
                }
            )
        return shown

    return records.database.read(question)


def find(principal: Principal, records: Records, name: str) -> dict[str, Any]:
    principal.require("read")
    rows = records.database.read(lambda connection: models.versions(connection, principal.project, name))
    if not rows:
        raise SalusError("not_found", where="model", found=name)
    shown = ("number", "bundle_hash", "model_hash", "metrics", "headline", "gate", "run")
    versions = [{**{key: row[key] for key in shown}, "created": rfc3339(row["created"])} for row in rows]
    return {"name": name, "versions": versions}


def report(principal: Principal, records: Records, name: str, number: int, file: str = REPORT) -> Path:
    """The file of a version's report. The page shows rows of the data: errors worth seeing, pictures."""
    principal.require("subject:read" if file in PAGES.values() else "read")
    row = records.database.read(lambda connection: models.version(connection, principal.project, name, number))
    if row is not None and file in PAGES.values() and file not in row["tree"]:
        file = REPORT_PAGE  # a version that is older than the page in this language
    if row is None or file not in row["tree"]:
        raise SalusError("not_found", where="model version", found=f"{name}@{number}")
    return records.blobs.open(row["tree"][file])


def report_of_run(principal: Principal, records: Records, run: str, file: str = REPORT) -> Path:
    """The report of the model version that a run made."""
    principal.require("read")
    row = records.database.read(lambda connection: runs.find(connection, principal.project, run))
    if row is None:
        raise SalusError("not_found", where="run", found=run)
    result = row["result"] or {}
    if "model" not in result:
        raise SalusError("no_report", found=run)
    return report(principal, records, result["model"], result["version"], file)


def without_rows(principal: Principal, content: bytes) -> bytes:
    """report.json as this key may read it: without `subject:read` no row of the data is in it."""
    if principal.may("subject:read"):
        return content
    found = json.loads(content)
    return json.dumps({name: value for name, value in found.items() if name not in SHOWS_ROWS}).encode()


def report_json(principal: Principal, records: Records, name: str, number: int) -> bytes:
    return without_rows(principal, report(principal, records, name, number).read_bytes())


def report_json_of_run(principal: Principal, records: Records, run: str) -> bytes:
    return without_rows(principal, report_of_run(principal, records, run).read_bytes())
