"""Models, the reports of their versions, and large models that come ready-made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from salus.actions.principal import Principal
from salus.bundle import large
from salus.bundle.sign import Signer
from salus.core.errors import SalusError
from salus.core.ids import check_name
from salus.core.wire import digest
from salus.store import audit, idempotency, models, runs, uploads
from salus.store.clock import rfc3339
from salus.store.idempotency import Once
from salus.store.records import Records

REPORT, REPORT_PAGE = "report.json", "report.html"
PAGES = {"en": REPORT_PAGE, "zh": "report.zh.html"}
IMPORTED = "import"  # in place of a run's id: nothing was trained here
MAX_LICENCE, MAX_SOURCE = 200, 500
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


def take_in(
    principal: Principal, records: Records, name: str, asked: Mapping[str, Any], once: Once | None = None
) -> dict[str, Any]:
    """Makes the files of a complete upload the next version of a large model: {"upload", "licence"?, "source"?}.

    Their structure is looked at here; nothing of them is loaded. The licence is what the files say unless it is named.
    """
    principal.require("write")
    check_name(name, "model")
    digests = _uploaded(records, principal.project, str(asked.get("upload")))
    files = {file: records.blobs.open(found) for file, found in digests.items()}
    looked = large.look(files)
    licence = str(asked.get("licence") or looked.licence or "").strip()[:MAX_LICENCE]
    if not licence:
        raise SalusError("licence_missing", where=name)
    source = str(asked.get("source") or "").strip()[:MAX_SOURCE]
    manifest = large.make_large(files, digests, looked, licence, source)
    signer = Signer.load(records.settings.home / "keys" / "signing.pem")
    sealed = large.seal(manifest, signer)
    tree = {file: records.blobs.put_stream([content]) for file, content in sealed.items()}
    tree |= {large.FOLDER + file: found for file, found in digests.items()}
    facts = manifest.model_dump(mode="json", exclude={"files", "format", "created"})
    version = {
        "tree": tree,
        "bundle_hash": digest(sealed[large.LARGE]),
        "model_hash": manifest.model_hash,
        "metrics": {"large": facts},
        "headline": None,
        "gate": {"passed": True, "reasons": [], "codes": []},
        "run": IMPORTED,
    }

    def change(connection: Connection) -> dict[str, Any]:
        number = models.publish(connection, principal.project, name, version)
        fields = {"version": number, "licence": licence, "source": source, "model_hash": manifest.model_hash}
        audit.append(connection, principal.project, principal.id, "models.import", name, fields)
        return {"model": name, "version": number, "model_hash": manifest.model_hash, "large": facts}

    return records.database.write(lambda connection: idempotency.once(connection, once, change))


def _uploaded(records: Records, project: str, upload: str) -> dict[str, str]:
    """Name and digest of every file of a complete upload."""
    row = records.database.read(lambda connection: uploads.find(connection, project, upload))
    if row is None:
        raise SalusError("not_found", where="upload", found=upload)
    if row["state"] != "complete":
        raise SalusError("upload_open", found=upload)
    files = records.database.read(lambda connection: uploads.files(connection, upload))
    return {str(file["name"]): str(file["digest"]) for file in files}


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
