"""A job whose files are gone ends its run at once, with the reason; the next job goes on."""

from __future__ import annotations

from pathlib import Path

from salus.actions import data_sets, runs, work
from salus.testing.records import WORKER, record_home


def test_a_job_whose_bytes_are_gone_ends_its_run(tmp_path: Path) -> None:
    with record_home(tmp_path / "home") as home:
        owner, records = home.principal(), home.records
        upload = home.upload(b"lost")
        lost = data_sets.add(owner, records, {"name": "lost", "upload": upload})["run"]["id"]
        kept = data_sets.add(owner, records, {"name": "kept", "builtin": "sklearn:iris"})["run"]["id"]
        for path in records.blobs.root.glob("??/*"):
            path.unlink()
        assert work.claim(WORKER, records, "w") is None
        ended = runs.find(owner, records, lost)
        assert (ended["state"], ended["error"]["code"]) == ("failed", "blob_missing")
        assert runs.events(owner, records, lost, 0)["over"]
        home.finish_add()
        assert runs.find(owner, records, kept)["state"] == "succeeded"
