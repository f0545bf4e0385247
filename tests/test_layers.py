"""Doors open one way: the imports of every room, read from the source."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "salus"

# room -> the rooms it may import besides itself. The picture is in docs/architecture.md.
DOORS: dict[str, set[str]] = {
    "core": set(),
    "data": {"core"},
    "tasks": {"core", "data"},
    "training": {"core", "data", "tasks"},
    "learners": {"core", "data", "tasks", "training"},
    "evaluation": {"core", "tasks"},
    "bundle": {"core"},
    "inference": {"core", "bundle", "data", "tasks"},
    "study": {"core", "data", "tasks", "training", "learners", "evaluation", "bundle", "inference", "recipes"},
    "recipes": {"core"},
    "serving": {"core", "bundle", "inference"},
    "store": {"core"},
    "actions": {"core", "store", "bundle"},
    "web": {"core", "actions", "store"},
    "jobs": {"core", "data", "study", "bundle", "store"},
    "sdk": {"core"},
    "cli": {"core", "sdk"},
}
# These see what they assemble.
ASSEMBLERS = {"programs", "testing", "notebook", "__init__"}
# What may not even be reachable at import from a room that starts without it.
HEAVY = {"torch", "sklearn", "lightgbm", "pyarrow", "onnx", "onnxscript", "scipy", "tokenizers"}
LIGHT_ROOMS = {"core", "tasks", "bundle", "inference", "serving", "store", "actions", "web", "sdk", "cli", "programs"}
# inference reads values with the kinds and encodes them; of data it may see no more.
INFERENCE_MAY_SEE = ("salus.data.kinds", "salus.data.encoding", "salus.data.windows", "salus.data.pieces")


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def imports(path: Path, only_top: bool = False) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = tree.body if only_top else list(ast.walk(tree))
    found: list[str] = []
    for node in nodes:
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found.append(node.module or "")
            found += [f"{node.module}.{alias.name}" for alias in node.names]
    return found


def room_of(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_new_door(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if room in ASSEMBLERS:
        return
    assert room in DOORS, f"{room} is a room that the plan does not know"
    for name in imports(path):
        if not name.startswith("salus."):
            continue
        target = room_of(name)
        if not (SOURCE / target).is_dir():
            continue
        assert target == room or target in DOORS[room], f"{path.relative_to(SOURCE)} opens a door to {target} ({name})"
        if room == "inference" and target == "data":
            assert name.startswith(INFERENCE_MAY_SEE) or name == "salus.data", f"inference must not see {name}"


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_light_rooms_start_light(path: Path) -> None:
    room = path.relative_to(SOURCE).parts[0]
    if room not in LIGHT_ROOMS and path.parent.name != "kinds":
        return
    heavy = {name.split(".")[0] for name in imports(path, only_top=True)} & HEAVY
    assert not heavy, f"{path.relative_to(SOURCE)} imports {heavy} at start"


def test_every_module_says_what_it_knows() -> None:
    silent = [
        str(p.relative_to(SOURCE)) for p in modules() if not ast.get_docstring(ast.parse(p.read_text(encoding="utf-8")))
    ]
    assert not silent
