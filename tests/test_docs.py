"""The documentation: both READMEs say the same, every link leads somewhere, every command exists."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

from salus.core.language import all_messages
from salus.core.settings import Settings
from salus.data.kinds import KINDS
from salus.learners import LEARNERS

ROOT = Path(__file__).parent.parent


def checker() -> object:
    spec = importlib.util.spec_from_file_location("check_docs", ROOT / "scripts" / "check_docs.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_both_readmes_have_the_same_headings_and_code() -> None:
    english = (ROOT / "README.md").read_text(encoding="utf-8")
    chinese = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
    levels = [re.findall(r"^(#+) ", text, re.MULTILINE) for text in (english, chinese)]
    assert levels[0] == levels[1]
    for pattern in (r"(?s)```.*?```", r"(?m)^    .+$"):
        assert re.findall(pattern, english) == re.findall(pattern, chinese)


@pytest.mark.parametrize("check", ["broken_links", "unknown_commands"])
def test_documentation_leads_somewhere(check: str) -> None:
    assert getattr(checker(), check)() == []


def test_every_message_says_where_to_go_in_both_languages() -> None:
    for code, message in all_messages().items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", code)
        assert 400 <= message.status < 600 or message.status == 200, code
        names = [
            set(re.findall(r"{(\w+)}", text)) for text in (message.en + message.next_en, message.zh + message.next_zh)
        ]
        assert names[0] == names[1], f"{code}: both languages show the same parameters"
        assert message.next_en and message.next_zh, code


def test_every_message_is_said_somewhere() -> None:
    language = ROOT / "src" / "salus" / "core" / "language"
    files = [path for path in (ROOT / "src").rglob("*.py") if language not in path.parents]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    begun = tuple(re.findall(r'f"([a-z]+_)\{\w+\}"', source))  # codes whose end is found out
    unsaid = {code for code in all_messages() if f'"{code}"' not in source and not code.startswith(begun)}
    assert unsaid == set()


def test_every_kind_and_learner_is_in_its_list() -> None:
    for page, names in (("data.md", KINDS), ("learners.md", LEARNERS)):
        rows = re.findall(r"(?m)^\| ([a-z0-9_, ]+) \|", (ROOT / "docs" / page).read_text(encoding="utf-8"))
        listed = {name for row in rows for name in row.split(", ")}
        assert names.keys() <= listed, page


def test_every_page_of_a_task_is_named_in_both_readmes() -> None:
    for name in ("README.md", "README.zh-CN.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for page in (ROOT / "docs" / "tasks").glob("*.md"):
            assert f"docs/tasks/{page.name}" in text, name


def test_every_dependency_has_its_reason() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    reasons = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8").lower()
    for needed in (project["dependencies"], *project["optional-dependencies"].values()):
        for line in needed:
            name = re.split(r"[\[<>=]", line)[0]
            assert name == "salus" or name in reasons, name


def test_every_setting_has_a_meaning() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_the_benchmarks_page_is_made_of_the_results() -> None:
    spec = importlib.util.spec_from_file_location("make_page", ROOT / "scripts" / "make_benchmarks_page.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8") == script.text()
