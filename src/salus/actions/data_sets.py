"""Data sets: adding one is a run; its version exists when the job has committed it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection

from salus.actions import runs
from salus.actions.principal import Principal
from salus.core.errors import SalusError
from salus.core.ids import check_name
from salus.core.specs import DataSpec, checked
from salus.store import data_sets, idempotency, uploads
from salus.store.clock import rfc3339
from salus.store.idempotency import Once
from salus.store.records import Records

BUILTIN = (
    "sklearn:breast_cancer",
    "sklearn:digits",
    "sklearn:iris",
    "sklearn:wine",
    "sklearn:diabetes",
    "sklearn:linnerud",
)


def add(
    principal: Principal, records: Records, asked: Mapping[str, Any], language: str = "en", once: Once | None = None
) -> dict[str, Any]:
    """Starts a run that reads an upload (or a built-in set): {"name", "upload" | "builtin", "options"?}."""
    principal.require("write")
    name = check_name(asked.get("name", ""), "name")
    options = checked(DataSpec, dict(asked.get("options") or {}), "options").model_dump(mode="json")
    source = _source(records, principal.project, asked)
    spec = {"name": name, "options": options, "upload": asked.get("upload"), "builtin": asked.get("builtin")}

    def change(connection: Connection) -> dict[str, Any]:
        return {"run": runs.enqueue(connection, principal, "add", spec, {**source, "options": options})}

    answer = records.database.write(lambda connection: idempotency.once(connection, once, change))
    return runs.begun(principal, records, answer["run"], language)


def every(principal: Principal, records: Records) -> list[dict[str, Any]]:
    principal.require("read")

    def question(connection: Connection) -> list[dict[str, Any]]:
        shown = []
        for row in data_sets.of_project(connection, principal.project):
            versions = data_sets.versions(connection, principal.project, row["name"])
            newest = {"version": versions[0]["hash"], "rows": versions[0]["rows"], "versions": len(versions)}
            shown.append({"name": row["name"], "created": rfc3339(row["created"]), **newest})
        return shown

    return records.database.read(question)


def find(principal: Principal, records: Records, name: str) -> dict[str, Any]:
    principal.require("read")
    shown = [
        {
            "hash": row["hash"],
            "rows": row["rows"],
            "created": rfc3339(row["created"]),
            "run": row["run"],
            "schema": row["schema"],
            "findings": row["findings"],
        }
        for row in _versions(records, principal.project, name)
    ]
    return {"name": name, "versions": shown}


def preview(principal: Principal, records: Records, name: str, version: str | None = None) -> dict[str, Any]:
    """The first rows. They are real rows of people: a scope of its own."""
    principal.require("subject:read")
    for row in _versions(records, principal.project, name):
        if version is None or row["hash"] == version:
            return {"name": name, "version": row["hash"], "preview": row["preview"]}
    raise SalusError("no_data_yet", found=f"{name}@{str(version)[:16]}")


def _versions(records: Records, project: str, name: str) -> list[dict[str, Any]]:
    rows = records.database.read(lambda connection: data_sets.versions(connection, project, name))
    if not rows:
        raise SalusError("not_found", where="data set", found=name)
    return rows


def _source(records: Records, project: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the job reads: the files of a complete upload by digest, or the name of a built-in set."""
    upload, builtin = asked.get("upload"), asked.get("builtin")
    if (upload is None) == (builtin is None):
        raise SalusError("bad_spec", where="data set", expected="either 'upload' or 'builtin'", found="both or none")
    if builtin is not None:
        if builtin not in BUILTIN:
            raise SalusError("bad_spec", where="builtin", expected=f"one of {', '.join(BUILTIN)}", found=builtin)
        return {"builtin": builtin}
    row = records.database.read(lambda connection: uploads.find(connection, project, str(upload)))
    if row is None:
        raise SalusError("not_found", where="upload", found=upload)
    if row["state"] != "complete":
        raise SalusError("upload_open", found=upload)
    files = records.database.read(lambda connection: uploads.files(connection, str(upload)))
    return {"upload": [{"name": file["name"], "digest": file["digest"]} for file in files]}
