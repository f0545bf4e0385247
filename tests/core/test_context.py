"""What a piece of work keeps over a kill."""

from __future__ import annotations

from pathlib import Path

import pytest

from salus.core.context import Context


def test_the_clock_goes_on_after_a_kill(tmp_path: Path) -> None:
    first = Context(tmp_path)
    first.started -= 40  # it began so long ago
    first.keep_clock()
    again = Context(tmp_path)
    assert again.elapsed_s() == pytest.approx(40, abs=5)
    again.started -= 10
    again.keep_clock()
    assert Context(tmp_path).elapsed_s() == pytest.approx(50, abs=5)


def test_without_a_folder_a_new_context_begins_at_nothing() -> None:
    first = Context()
    first.started -= 40
    first.keep_clock()
    assert first.elapsed_s() >= 40 and Context().elapsed_s() < 5
