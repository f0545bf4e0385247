"""Logs are bounded while their writers go on."""

from __future__ import annotations

import os
from pathlib import Path

from salus.programs.logs import bound_log, last_lines, log_path, open_log


def test_a_log_starts_anew_and_its_writer_does_not_notice(tmp_path: Path) -> None:
    writer, path = open_log(tmp_path, "control"), log_path(tmp_path, "control")
    for round_number in range(5):
        os.write(writer, f"round {round_number} ".encode() + b"x" * 100 + b"\n")
        assert bound_log(path, max_bytes=50, kept=3)
        assert path.stat().st_size == 0
    os.write(writer, b"last\n")
    os.close(writer)
    assert path.read_text() == "last\n"
    kept = sorted(file.name for file in path.parent.iterdir())
    assert kept == ["control.log", "control.log.1", "control.log.2", "control.log.3"]
    assert path.with_name("control.log.1").read_text().startswith("round 4")
    assert path.with_name("control.log.3").read_text().startswith("round 2")


def test_a_small_log_stays(tmp_path: Path) -> None:
    os.close(open_log(tmp_path, "worker"))
    assert not bound_log(log_path(tmp_path, "worker"))
    assert not bound_log(tmp_path / "none.log")


def test_the_last_lines_are_fit_for_a_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(b"one\ntwo \x1b[31mred\n\xff\n")
    assert last_lines(path, 2) == ["two ?[31mred", "\ufffd"]
    assert last_lines(tmp_path / "none.log") == []
