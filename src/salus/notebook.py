"""What a notebook needs, without any service: read data, fit, predict, save and load.

Thin callers of the rooms that do the work. Knows no job and no database.
"""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from salus.core.beside import beside, merged
from salus.core.catalogue import check_train_spec
from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.specs import DataSpec, TrainSpec, checked, parse_duration_s
from salus.inference.predictor import Predictor

if TYPE_CHECKING:
    from salus.bundle.read import Bundle
    from salus.data.version import DataVersion
    from salus.sdk.client import Client

Listener = Callable[[str, dict[str, Any]], None]
Owner = TypeVar("Owner")


class Model:
    """A trained model: a bundle on disk, and the predictor that answers from it as the server would."""

    def __init__(self, bundle: Bundle, folder: Path):
        self.bundle = bundle
        self.folder = folder
        self._predictor: Predictor | None = None

    def explain(self, language: str = "en") -> list[str]:
        """What was tried, what won and why, and what more time or data would bring, a sentence each."""
        from salus.core.explain import explain

        return explain(self.report, language)

    @property
    def report(self) -> dict[str, Any]:
        """report.json: metrics with intervals, baseline, calibration, findings, plan."""
        return self.bundle.report()

    def predict(self, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """One prediction a row; rows are what the endpoint takes: column name -> JSON value."""
        if self._predictor is None:
            self._predictor = Predictor.open(self.bundle)
        return self._predictor.predict_rows(list(rows))

    def save(self, path: str | Path) -> Path:
        """Copies the bundle to `path`, a folder that must not exist."""
        if Path(path).exists():
            raise SalusError("bundle_exists", where=str(path))
        return Path(shutil.copytree(self.folder, Path(path)))


def read(path: str | Path, output: str | Path | None = None, **options: Any) -> DataVersion:
    """Reads a file, a folder or a bundled set such as 'sklearn:breast_cancer' into a data version.

    output: a folder to keep the version in; a temporary one without. options: the fields of DataSpec.
    """
    from salus.data.add import add

    spec = checked(DataSpec, merged(options, beside(Path(str(path).partition("#")[0]))[0]), "salus.read")
    if output is not None:
        return add(Path(path), spec, Path(output), Context())
    return _in_scratch("salus-data-", lambda scratch: add(Path(path), spec, scratch / "version", Context()))


def fit(
    data: DataVersion | str | Path,
    target: str | Sequence[str],
    *,
    budget: str | float = "5m",
    listener: Listener | None = None,
    checkpoints: str | Path | None = None,
    **options: Any,
) -> Model:
    """Learns `target` and measures on rows it never saw.

    budget: seconds, or a text such as '5m'. listener: is given every event as (name, fields).
    checkpoints: a folder; the same folder again goes on where a killed fit stopped. options: the fields of TrainSpec.
    """
    from salus.study.study import run_study

    targets = [target] if isinstance(target, str) else list(target)
    budget_s = parse_duration_s(budget) if isinstance(budget, str) else budget
    said = {"target": targets, "budget_s": budget_s, **options}
    beside_it = beside(Path(data))[1] if isinstance(data, str | Path) else {}
    spec = checked(TrainSpec, merged(said, beside_it), "salus.fit")
    check_train_spec(spec)
    version = read(data) if isinstance(data, str | Path) else data
    context = Context(Path(checkpoints) if checkpoints is not None else None, listener)

    def learned(scratch: Path) -> Model:
        return Model(run_study(version, spec, context, scratch / "bundle"), scratch / "bundle")

    return _in_scratch("salus-model-", learned)


def load(path: str | Path) -> Model:
    """Opens a bundle folder; every file is checked against its hash and every graph against the rules first."""
    from salus.bundle.read import open_folder

    return Model(open_folder(Path(path)), Path(path))


def connect(url: str | None = None, key: str | None = None) -> Client:
    """A client of the service on this home, or of the one at `url`."""
    from salus.sdk.client import Client

    return Client(url, key) if url is not None else Client.local()


def _in_scratch(prefix: str, make: Callable[[Path], Owner]) -> Owner:
    """What is made in a temporary folder, which goes when it goes, or at once when it cannot be made."""
    scratch = tempfile.mkdtemp(prefix=prefix)
    try:
        owner = make(Path(scratch))
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise
    weakref.finalize(owner, shutil.rmtree, scratch, ignore_errors=True)
    return owner
