"""The management API as one visible list: address, methods, handlers. What is not in it is not there.

Routes are closed by construction: each gets a door with a guard, but those whose address is in PUBLIC. A test reads both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from salus.store.records import Records
from salus.web import data_sets, endpoints, keys, models, projects, runs, status, uploads
from salus.web.door import Door, Guard, Handler, Porch, nothing_here
from salus.web.guards import KeyGuard, WorkerGuard
from salus.web.work import Desk

API = "/api/v1"
PUBLIC = frozenset({"/livez", "/readyz", "/version"})
Table = Sequence[tuple[str, Mapping[str, Handler]]]

ROUTES: Table = (
    ("/livez", {"GET": status.alive}),
    ("/readyz", {"GET": status.ready}),
    ("/version", {"GET": status.version}),
    (API + "/status", {"GET": status.show}),
    (API + "/settings", {"GET": status.settings}),
    (API + "/audit", {"GET": status.audit}),
    (API + "/projects", {"GET": projects.every, "POST": projects.create}),
    (API + "/keys", {"GET": keys.every, "POST": keys.create}),
    (API + "/keys/{key}", {"DELETE": keys.revoke}),
    (API + "/uploads", {"POST": uploads.create}),
    (API + "/uploads/{upload}", {"GET": uploads.find}),
    (API + "/uploads/{upload}/files/{index}", {"PUT": uploads.receive}),
    (API + "/uploads/{upload}/complete", {"POST": uploads.complete}),
    (API + "/data-sets", {"GET": data_sets.every, "POST": data_sets.add}),
    (API + "/data-sets/{name}", {"GET": data_sets.find}),
    (API + "/data-sets/{name}/preview", {"GET": data_sets.preview}),
    (API + "/runs", {"GET": runs.page, "POST": runs.start}),
    (API + "/runs/{run}", {"GET": runs.find}),
    (API + "/runs/{run}/events", {"GET": runs.events}),
    (API + "/runs/{run}/cancel", {"POST": runs.cancel}),
    (API + "/runs/{run}/report", {"GET": runs.report}),
    (API + "/runs/{run}/report.html", {"GET": runs.report_page}),
    (API + "/models", {"GET": models.every}),
    (API + "/models/{name}", {"GET": models.find}),
    (API + "/models/{name}/import", {"POST": models.take_in}),
    (API + "/models/{name}/versions/{version}/report", {"GET": models.report}),
    (API + "/models/{name}/versions/{version}/report.html", {"GET": models.report_page}),
    (API + "/endpoints", {"GET": endpoints.every}),
    (API + "/endpoints/{name}", {"GET": endpoints.find, "PUT": endpoints.put, "DELETE": endpoints.remove}),
)


def worker_routes(desk: Desk) -> Table:
    """Served on the socket in the home, for workers alone."""
    return (
        ("/livez", {"GET": status.alive}),
        (API + "/worker/claim", {"POST": desk.claim}),
        (API + "/worker/jobs/{job}/heartbeat", {"POST": desk.heartbeat}),
        (API + "/worker/jobs/{job}/events", {"POST": desk.events}),
        (API + "/worker/jobs/{job}/finish", {"POST": desk.finish}),
    )


def management_app(records: Records) -> ASGIApp:
    return Porch(_closed(records, ROUTES, KeyGuard(records)), records, any_host=False)


def worker_app(records: Records, worker_key: str) -> ASGIApp:
    guard = WorkerGuard(worker_key)
    return Porch(_closed(records, worker_routes(Desk(guard)), guard), records, any_host=True)


def _closed(records: Records, table: Table, guard: Guard) -> Router:
    doors = [Route(path, Door(records, handlers, None if path in PUBLIC else guard)) for path, handlers in table]
    return Router(doors, redirect_slashes=False, default=nothing_here)
