"""Step `train`: a data version and a spec become a signed bundle. A thin caller of the study, as `salus.fit` is."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from salus.bundle.sign import Signer
from salus.core.specs import TrainSpec, checked
from salus.data.version import DataVersion
from salus.jobs.blobs_out import put_folder
from salus.jobs.steps import Workplace
from salus.study.study import run_study


def train(job: dict[str, Any], place: Workplace) -> dict[str, Any]:
    """`job`: `files` of the data version (name -> path), `data_name`, and `spec` of a TrainSpec."""
    spec = checked(TrainSpec, job["spec"], "spec")
    version = DataVersion.open({name: Path(path) for name, path in job["files"].items()})
    output = place.folder / "bundle"
    shutil.rmtree(output, ignore_errors=True)  # of an attempt that died before its answer
    signer = Signer.load(place.keys / "signing.pem")
    bundle = run_study(version, spec, place.context, output, signer, str(job.get("data_name") or "data"))
    place.context.event("storing", bundle=bundle.bundle_hash)
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
