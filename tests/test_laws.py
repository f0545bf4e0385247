"""The laws that source text can break: no pickle, no code from data, no word about where or how it was built."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "salus"
FORBIDDEN_MODULES = {"pickle", "cPickle", "joblib", "dill", "cloudpickle", "shelve", "marshal", "multiprocessing"}
FORBIDDEN_CALLS = {"eval", "exec", "compile", "__import__"}
FORBIDDEN_ATTRIBUTES = {"extractall", "unsafe_load", "load_module"}
FORBIDDEN_KEYWORDS = {"trust_remote_code", "allow_pickle", "shell"}


def test_no_pickle_and_no_code_from_data() -> None:
    broken: list[str] = []
    for path in sorted(SOURCE.rglob("*.py")):
        where = path.relative_to(ROOT)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
                broken += [f"{where}: import {n}" for n in names if n.split(".")[0] in FORBIDDEN_MODULES]
            if isinstance(node, ast.Call):
                broken += [f"{where}:{node.lineno}: {text}" for text in _forbidden_call(node)]
    assert not broken


def _forbidden_call(node: ast.Call) -> list[str]:
    found = []
    if isinstance(node.func, ast.Name) and node.func.id in FORBIDDEN_CALLS:
        found.append(f"call of {node.func.id}")
    if isinstance(node.func, ast.Attribute):
        if node.func.attr in FORBIDDEN_ATTRIBUTES:
            found.append(f"call of {node.func.attr}")
        owner = node.func.value
        if isinstance(owner, ast.Name) and owner.id == "torch" and node.func.attr in ("load", "save"):
            found.append(f"torch.{node.func.attr}")
    for keyword in node.keywords:
        if keyword.arg in FORBIDDEN_KEYWORDS and not (
            isinstance(keyword.value, ast.Constant) and keyword.value.value is False
        ):
            found.append(f"keyword {keyword.arg}")
    return found


def test_no_path_of_a_machine_is_tracked() -> None:
    pattern = re.compile(rb"(?<![A-Za-z0-9_.])/(?:home|root|work|farm)/[a-z_.]+/")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    names = [name for name in listed.stdout.decode().split("\0") if name] if listed.returncode == 0 else []
    found = [name for name in names if (ROOT / name).is_file() and pattern.search((ROOT / name).read_bytes())]
    assert not found
