"""The whole study on one screen: a data version and a spec in, a published bundle out.

The same function answers `salus.fit` in a notebook and a run of the service.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from salus.bundle.read import Bundle
from salus.bundle.sign import Signer
from salus.core.context import Context
from salus.core.disk import full_disk_named
from salus.core.errors import SalusError
from salus.core.specs import TrainSpec
from salus.core.wire import canonical, digest
from salus.data.origins import origins_of
from salus.data.version import DataVersion
from salus.recipes import recipe_named
from salus.study.before import Before
from salus.study.decisions import decided
from salus.study.judge import judge
from salus.study.learn import learn
from salus.study.measure import measure_bundle
from salus.study.package import Package, draft, examples_for, publish
from salus.study.plan import make_plan
from salus.study.prepare import prepare
from salus.study.rounds import rounds_of
from salus.study.start import started


def run_study(
    version: DataVersion,
    spec: TrainSpec,
    context: Context,
    output: Path,
    signer: Signer | None = None,
    data_name: str = "data",
    before: Before | None = None,
) -> Bundle:
    """Learns what `spec` asks for and publishes the bundle at the folder `output`, which must not exist.

    version: the data. before: the model version that this one may replace. context: is told what happens; with a folder the
    study goes on where a killed one stopped.
    Raises SalusError for what the data or the spec cannot give; `another_study` when the folder is one of other data or another
    spec; `disk_filled`; `stopped` when asked to.
    """
    with (
        tempfile.TemporaryDirectory(prefix="salus-study-") as scratch,
        full_disk_named(context.folder or Path(scratch)),
    ):
        folder = context.folder or Path(scratch)
        threads = spec.threads or os.cpu_count() or 1
        spec = started(version, _with_recipe(spec))
        _check_same(version, spec, context)
        if spec.horizon is not None:
            version, spec = origins_of(version, spec)
        material = prepare(version, spec)
        context.event("prepared", task=material.task.name, split=material.splits.how, findings=len(material.findings))
        rounds = rounds_of(material, spec, threads)
        example_rows, example_feeds = examples_for(rounds.final.schema, not material.task.plain, spec.seed)
        plan = make_plan(rounds.final, rounds.outer, spec, material.groups is not None, context)
        learned = learn(rounds.final, plan, spec, example_feeds, folder, context)
        judged = judge(rounds, plan, spec, folder, context) if rounds.outer else None
        material = decided(material, learned, judged, spec)
        package = Package(version, data_name, spec, material, plan, learned, example_rows)
        context.event("measuring", learner=learned.best.learner, rows=len(material.splits.test))
        report = measure_bundle(draft(package, Path(scratch) / "draft"), package, judged, before, context)
        context.event("packaging", headline=report["headline"], gate=report["gate"])
        return publish(package, report, output, signer, context)


def _check_same(version: DataVersion, spec: TrainSpec, context: Context) -> None:
    """What the folder remembers is of this study, or it is empty: records of other data would be taken for this one's."""
    study = digest(canonical({"data": version.hash, "spec": spec.model_dump(mode="json")}))
    kept = context.recall("study")
    if kept is not None and kept != study:
        raise SalusError("another_study", where=str(context.folder))
    context.remember("study", study)


def _with_recipe(spec: TrainSpec) -> TrainSpec:
    """The spec with what its recipe says; options that the person named win."""
    if spec.recipe is None:
        return spec
    made = recipe_named(spec.recipe)
    return spec.model_copy(update={"learner": made["learner"], "options": made["options"] | spec.options})
