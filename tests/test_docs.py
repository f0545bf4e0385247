"""The documentation: both READMEs say the same, every link leads somewhere, every command exists."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from salus.core.language import all_messages
from salus.core.settings import Settings

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


def test_every_setting_has_a_meaning() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name


def test_the_benchmarks_page_is_made_of_the_results() -> None:
    spec = importlib.util.spec_from_file_location("make_page", ROOT / "scripts" / "make_benchmarks_page.py")
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8") == script.text()
