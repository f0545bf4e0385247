"""Learning that starts from a folder with a model: which learner that is, and the folder opened before anything else is done."""

from __future__ import annotations

from pathlib import Path

from salus.core.catalogue import STARTED
from salus.core.errors import SalusError
from salus.core.specs import TrainSpec
from salus.data.version import DataVersion


def started(version: DataVersion, spec: TrainSpec) -> TrainSpec:
    """The spec with the learner of its kind of inputs, which knows the folder by its name and the digest of its weights. Where the
    folder lies is in nothing that is kept."""
    if spec.start is None:
        return spec
    if spec.learner not in ("auto", "pretrained", *STARTED.values()):
        raise SalusError("bad_spec", where="start", expected="the learner pretrained", found=spec.learner)
    taken = {*spec.target, *spec.ignore, spec.group, spec.time, spec.split}
    kinds = {column.kind for column in version.schema.columns if column.name not in taken}
    kind = next((kind for kind in STARTED if kind in kinds), None)
    if kind is None:
        raise SalusError(
            "start_unknown", where="the data", expected="texts or pictures", found=", ".join(sorted(kinds))
        )
    from salus.learners import learner_named
    from salus.learners.start_folder import open_start

    learner_named(STARTED[kind])  # says which extra is missing
    start = open_start(Path(spec.start))
    options = {**spec.options, "start": start.name}
    return spec.model_copy(update={"learner": STARTED[kind], "options": options, "start": start.name})
