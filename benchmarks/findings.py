"""Whether faults in data are found and named: thirty, one at a time, and how often clean data is accused.

A fault counts as found when a finding (or the refusal) has its code, names its column and shows one of its rows. The bars: 28 of 30, and
no blocker on clean data. With `--data` the real sets there are among the clean ones.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from figures import Figure, write_figures
from findings_faults import Fault, clean, faults
from findings_sets import TARGETS, real_tables
from salus.core.context import Context
from salus.core.errors import SalusError
from salus.core.nouns import Finding, Severity
from salus.core.specs import DataSpec, TrainSpec
from salus.data.add import add
from salus.study.prepare import prepare

FOUND_BAR = 28


def findings_of(folder: Path, table: pa.Table, target: str, kinds: dict[str, str], group: str | None) -> list[Finding]:
    """What adding and training say together; a refusal is a blocker."""
    folder.mkdir()
    pq.write_table(table, folder / "table.parquet")
    version = add(folder / "table.parquet", DataSpec(kinds=kinds), folder / "version", Context())
    spec = TrainSpec(target=[target], group=group, find_group=False)
    try:
        return [*version.findings, *prepare(version, spec).findings]
    except SalusError as error:
        names = tuple(c.name for c in version.schema.columns if c.name == target)
        refusal = Finding(code=error.code, severity=Severity.BLOCKER, columns=names, parameters={})
        return [*version.findings, refusal]


def is_named(fault: Fault, findings: list[Finding]) -> bool:
    for finding in findings:
        column = fault.column is None or fault.column in finding.columns
        rows = not fault.rows or bool(set(fault.rows) & set(finding.rows))
        if finding.code in fault.codes and column and rows:
            return True
    return False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", type=Path, help="a folder of real sets, looked at too")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results" / "findings.json")
    asked = parser.parse_args()
    generator = np.random.default_rng(asked.seed)
    found, blockers, warnings, looked = [], 0, 0, 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for index, (what, fault) in enumerate(faults(generator).items()):
            kinds, group = fault.options.get("kinds", {}), fault.options.get("group")
            assert isinstance(kinds, dict)
            said = findings_of(
                folder / str(index), pa.table(fault.columns), fault.target, kinds, None if group is None else str(group)
            )
            found.append(is_named(fault, said))
            print(f"{'found' if found[-1] else 'MISSED':8s} {what}", flush=True)
        tables = clean(generator) | {
            name: (table, TARGETS.get(name, table.column_names[-1]))
            for name, (table, _) in real_tables(asked.data).items()
        }
        for what, (table, target) in tables.items():
            said = findings_of(folder / f"clean {what}", table, target, {}, None)
            serious = {finding.code for finding in said if finding.severity is not Severity.INFO}
            looked += 1
            blockers += any(finding.severity is Severity.BLOCKER for finding in said)
            warnings += bool(serious)
            print(f"clean    {what}: {', '.join(sorted(serious)) or 'nothing'}", flush=True)
    figures = [
        Figure("faults found and named", float(sum(found)), f"of {len(found)}", f"bar {FOUND_BAR}"),
        Figure("clean sets with a blocker", float(blockers), f"of {looked}", "bar 0"),
        Figure("clean sets with a warning", float(warnings), f"of {looked}", "real sets have true ones"),
    ]
    write_figures("findings", figures, asked.output)


if __name__ == "__main__":
    main()
