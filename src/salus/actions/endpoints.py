"""Endpoints: deploying waits until the model server answers with the version, and takes the change back when it refuses.

When the model server is away the change stands and the endpoint is `pending`: the snapshot reaches it when it is back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from salus.actions.principal import Principal
from salus.core.errors import SalusError
from salus.core.ids import check_name
from salus.core.nouns import RunState
from salus.store import audit, endpoints, models, runs
from salus.store.clock import rfc3339
from salus.store.records import Records

DEPLOY_TIMEOUT_S = 30.0
READY, PENDING = "ready", "pending"


def put(
    principal: Principal,
    records: Records,
    name: str,
    asked: Mapping[str, Any],
    expected: str | None = None,
    timeout_s: float = DEPLOY_TIMEOUT_S,
) -> dict[str, Any]:
    """Lets a model version answer under a name. expected: the ETag that the endpoint must have."""
    principal.require("write")
    check_name(name, "endpoint name")
    model, version = check_name(asked.get("model", ""), "model"), asked.get("version")
    if not isinstance(version, int) or isinstance(version, bool) or not 0 < version < 2**31:
        raise SalusError("bad_spec", where="version", expected="a whole number above 0", found=version)

    def change(connection: Connection) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        before = endpoints.find(connection, principal.project, name)
        _check_etag(name, before, expected)
        if models.version(connection, principal.project, model, version) is None:
            raise SalusError("not_found", where="model version", found=f"{model}@{version}")
        after = endpoints.put(connection, principal.project, name, model, version)
        fields = {"model": model, "version": version}
        audit.append(connection, principal.project, principal.id, "endpoints.put", name, fields)
        return before, after

    before, after = records.database.write(change)
    state = _await_model_server(principal, records, before, after, timeout_s)
    return {**_shown(after), "state": state}


def every(principal: Principal, records: Records) -> list[dict[str, Any]]:
    principal.require("read")
    rows = records.database.read(lambda connection: endpoints.of_project(connection, principal.project))
    return [{**_shown(row), "state": _state(records, row)} for row in rows]


def find(principal: Principal, records: Records, name: str) -> dict[str, Any]:
    """The endpoint with what a request must look like, an example row and a line for the shell."""
    principal.require("read")
    row = records.database.read(lambda connection: endpoints.find(connection, principal.project, name))
    if row is None:
        raise SalusError("not_found", where="endpoint", found=name)
    return {**_shown(row), "state": _state(records, row), **_usage(records, row)}


def remove(principal: Principal, records: Records, name: str, expected: str | None = None) -> None:
    principal.require("write")

    def change(connection: Connection) -> None:
        before = endpoints.find(connection, principal.project, name)
        if before is None:
            raise SalusError("not_found", where="endpoint", found=name)
        _check_etag(name, before, expected)
        endpoints.remove(connection, principal.project, name)
        audit.append(connection, principal.project, principal.id, "endpoints.remove", name)

    records.database.write(change)
    records.acknowledgements.ask()


def deploy_run(records: Records, run: dict[str, Any], timeout_s: float = DEPLOY_TIMEOUT_S) -> None:
    """Ends a run whose model passed the gate and waits for its endpoint."""
    actor = Principal("deploy", run["project"], frozenset({"write"}))
    result = dict(run["result"])
    try:
        asked = {"model": result["model"], "version": result["version"]}
        shown = put(actor, records, result["endpoint"], asked, timeout_s=timeout_s)
        result |= {"deployed": shown["state"] == READY, "endpoint_state": shown["state"]}
    except SalusError as error:
        result |= {"deployed": False, "deploy_error": error.problem()}

    def change(connection: Connection) -> None:
        runs.end(connection, run["id"], RunState.SUCCEEDED, result=result)
        audit.append(connection, run["project"], actor.id, "runs.deployed", run["id"], {"done": result["deployed"]})

    records.database.write(change)
    records.events.append(run["id"], [(RunState.SUCCEEDED.value, {"deployed": result["deployed"]})])


def etag(change: int) -> str:
    return f'"{change}"'


def _await_model_server(
    principal: Principal, records: Records, before: dict[str, Any] | None, after: dict[str, Any], timeout_s: float
) -> str:
    states = records.acknowledgements.wait_answer(records.acknowledgements.ask(), timeout_s)
    if states is None:
        return PENDING
    said = states.get(f"{after['project']}/{after['name']}")
    if said == READY:
        return READY
    _take_back(principal, records, before, after)
    raise SalusError("bundle_refused", where=f"{after['model']}@{after['version']}", found=_words(said))


def _take_back(principal: Principal, records: Records, before: dict[str, Any] | None, after: dict[str, Any]) -> None:
    def change(connection: Connection) -> None:
        current = endpoints.find(connection, after["project"], after["name"])
        if current is None or current["change"] != after["change"]:
            return  # somebody deployed something else meanwhile; that stands
        if before is None:
            endpoints.remove(connection, after["project"], after["name"])
        else:
            endpoints.put(connection, after["project"], after["name"], before["model"], before["version"])
        audit.append(connection, after["project"], principal.id, "endpoints.refused", after["name"])

    records.database.write(change)
    records.acknowledgements.ask()


def _words(said: Any) -> str:
    """What the model server gave as its reason: a problem, an error of the catalogue, or text."""
    if isinstance(said, Mapping):
        if isinstance(said.get("parameters"), Mapping) and "code" in said:
            return SalusError.from_json({"code": said["code"], "parameters": dict(said["parameters"])}).detail()
        return str(said.get("detail") or said.get("code") or said)
    return str(said or "it does not know the endpoint")


def _check_etag(name: str, row: dict[str, Any] | None, expected: str | None) -> None:
    found = "nothing" if row is None else etag(row["change"])
    if expected is not None and not (expected == "*" and row is not None) and expected != found:
        raise SalusError("changed_meanwhile", where=f"endpoint {name}", expected=expected, found=found)


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    times = {"created": rfc3339(row["created"]), "changed": rfc3339(row["changed"])}
    return {"name": row["name"], "model": row["model"], "version": row["version"], **times, "etag": etag(row["change"])}


def _state(records: Records, row: dict[str, Any]) -> Any:
    """What the model server said of the endpoint; `pending` before it was asked or while it is away."""
    seen = records.acknowledgements
    return seen.states.get(f"{row['project']}/{row['name']}", PENDING) if seen.answered >= seen.asked else PENDING


def _usage(records: Records, row: dict[str, Any]) -> dict[str, Any]:
    settings = records.settings
    address = f"http://{settings.host}:{settings.model_server_port}/endpoints/{row['name']}/predict"
    version = records.database.read(
        lambda connection: models.version(connection, row["project"], row["model"], row["version"])
    )
    files: dict[str, Path] = {}
    if version is not None:
        files = {name: records.blobs.open(digest) for name, digest in version["tree"].items()}
    described = records.describe(files)
    if "door" in described:  # a large model, which is asked by its name
        address = address.removesuffix(f"/endpoints/{row['name']}/predict") + described["door"]
        asked: dict[str, Any] = {"model": row["name"], **described["asks"]}
    else:
        asked = {"rows": [described.get("example") or {}]}
    body = json.dumps(asked, ensure_ascii=False)
    lines = (
        f"curl {address}",
        "-H 'Authorization: Bearer '\"$SALUS_KEY\"",
        "-H 'Content-Type: application/json'",
        "-d '" + body.replace("'", "'\\''") + "'",
    )
    return {"url": address, **described, "curl": " ".join(lines)}
