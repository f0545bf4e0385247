"""How a request proves who it is from: a key of the database at the management door, the worker's key or a job's token at
the worker's."""

from __future__ import annotations

import hashlib
import hmac

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from salus.actions import keys, projects
from salus.actions.principal import Principal
from salus.core.errors import SalusError
from salus.store.records import Records
from salus.web.door import bearer

PROJECT_HEADER = "salus-project"


class KeyGuard:
    """A living key. An owner's may name another project in the header Salus-Project."""

    def __init__(self, records: Records):
        self.records = records

    async def __call__(self, request: Request) -> Principal:
        principal = await run_in_threadpool(keys.recognise, self.records, bearer(request))
        if principal is None:
            raise SalusError("no_key")
        project = request.headers.get(PROJECT_HEADER)
        if project is None:
            return principal
        return await run_in_threadpool(projects.enter, principal, self.records, project)


class WorkerGuard:
    """The worker's key, which claims jobs, or the token of one claim, which does nothing but speak for that job."""

    def __init__(self, worker_key: str):
        self.worker_key = worker_key

    def token(self, job: str, fence: int) -> str:
        """The token of one claim. It needs no row: it is made of the worker's key, the job and the fence."""
        return f"job.{fence}.{self._seal(job, fence)}"

    async def __call__(self, request: Request) -> Principal:
        token = bearer(request)
        if hmac.compare_digest(token.encode(), self.worker_key.encode()):
            return Principal("worker", "", frozenset({"work"}))
        job = str(request.path_params.get("job", ""))
        kind, _, rest = token.partition(".")
        fence, _, seal = rest.partition(".")
        sound = kind == "job" and job and fence.isascii() and fence.isdecimal() and len(fence) < 10
        if sound and hmac.compare_digest(seal.encode(), self._seal(job, int(fence)).encode()):
            return Principal(job, "", frozenset({f"job:{job}:{int(fence)}"}))
        raise SalusError("no_key")

    def _seal(self, job: str, fence: int) -> str:
        return hmac.new(self.worker_key.encode(), f"{job}:{fence}".encode(), hashlib.sha256).hexdigest()
