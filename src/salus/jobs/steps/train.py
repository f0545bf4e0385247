"""Step `train`: a data version and a spec become a signed bundle. A thin caller of the study, as `salus.fit` is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from salus.bundle.read import open_bundle
from salus.bundle.sign import Signer
from salus.core.disk import full_disk_named
from salus.core.errors import SalusError
from salus.core.specs import TrainSpec, checked
from salus.data.version import DataVersion
from salus.jobs.blobs_out import put_folder
from salus.jobs.steps import Workplace
from salus.study.before import Before
from salus.study.study import run_study


def train(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    """`job`: `files` of the data version (name -> path), `data_name`, `spec` of a TrainSpec, and the model version `before`
    ({"name", "files"}), if there is one."""
    spec = checked(TrainSpec, job["spec"], "spec")
    version = DataVersion.open({name: Path(path) for name, path in job["files"].items()})
    output = place.folder / "bundle"
    shutil.rmtree(output, ignore_errors=True)  # of an attempt that died before its answer
    signer = Signer.load(place.keys / "signing.pem")
    data_name = str(job.get("data_name") or "data")
    bundle = run_study(version, spec, place.context, output, signer, data_name, _before(job))
    place.context.event("storing", bundle=bundle.bundle_hash)
    with full_disk_named(place.folder):
        tree = put_folder(place.blobs, output, place.context)
    report = bundle.report()
    return {
        "tree": tree,
        "bundle_hash": bundle.bundle_hash,
        "model_hash": bundle.manifest.model_hash,
        "metrics": report["metrics"],
        "report_digest": tree["report.json"],
        "gate": report["gate"],
        "headline": report["headline"],
    }


def _before(job: dict[str, Any]) -> Before | None:
    """The version before, opened; one that cannot be read is not compared with."""
    told = job.get("before")
    if not told:
        return None
    try:
        return Before(told["name"], open_bundle({name: Path(path) for name, path in told["files"].items()}))
    except SalusError:
        return None
