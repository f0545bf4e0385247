"""`salus.yaml` beside the data: how a folder wants to be read and trained, said once for everybody who opens it.

Top-level names are fields of a DataSpec; below `train` those of a TrainSpec. What a person says at the command wins.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from salus.core.errors import SalusError
from salus.core.specs import DataSpec, Spec, TrainSpec

NAME = "salus.yaml"
MAX_BYTES = 2**20


def beside(path: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """(fields of the DataSpec, fields of the TrainSpec) that the file says which lies in the folder, or beside the file; empty
    without one. Raises `bad_spec` for what is no YAML."""
    file = (path if path.is_dir() else path.parent) / NAME
    if not file.is_file():
        return {}, {}
    import yaml

    if file.stat().st_size > MAX_BYTES:
        raise SalusError("bad_spec", where=NAME, expected=f"at most {MAX_BYTES} bytes", found=file.stat().st_size)
    try:
        text = file.read_text(encoding="utf-8")
        for token in yaml.scan(text):
            if isinstance(token, yaml.AliasToken):  # a few of them can stand for more than memory holds
                raise SalusError("bad_spec", where=NAME, expected="no aliases", found=f"*{token.value}"[:40])
        found = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # dates that there are not are no YAMLError
        raise SalusError("bad_spec", where=NAME, expected="YAML", found=str(error).split("\n")[0][:120]) from None
    if not isinstance(found, dict):
        raise SalusError("bad_spec", where=NAME, expected="names and values", found=type(found).__name__)
    train = found.pop("train", None) or {}
    if not isinstance(train, dict):
        raise SalusError("bad_spec", where=f"{NAME}, train", expected="names and values", found=type(train).__name__)
    _check_names(found, DataSpec, NAME)
    _check_names(train, TrainSpec, f"{NAME}, train")
    if "policy" in train:  # who hands over data does not decide which models may answer
        raise SalusError(
            "bad_spec", where=f"{NAME}, train", expected="no policy: name it with --policy", found="policy"
        )
    _check_joins(found.get("join"))
    return found, train


def _check_names(found: dict[Any, Any], spec: type[Spec], where: str) -> None:
    """Names that no spec has are the file's mistake, not that of the options."""
    for name in found:
        if name not in spec.model_fields:
            raise SalusError("bad_spec", where=where, expected=f"some of {', '.join(spec.model_fields)}", found=name)


def _check_joins(joins: Any) -> None:
    """Whoever wrote the file may not name others of this machine, which would be read or sent along."""
    for join in joins if isinstance(joins, list) else ():
        named = str(join.get("path", "")) if isinstance(join, dict) else ""
        if named.startswith(("/", "~")) or "\\" in named or ":" in named or ".." in named.split("/"):
            raise SalusError("bad_spec", where=f"{NAME}, join", expected="files beside the data", found=named[:80])


def merged(said: dict[str, Any], beside_it: dict[str, Any]) -> dict[str, Any]:
    """What the file says, overruled by what the person says; of names and values both are kept."""
    both = dict(beside_it)
    for name, value in said.items():
        old = both.get(name)
        both[name] = {**old, **value} if isinstance(value, dict) and isinstance(old, dict) else value
    return both
