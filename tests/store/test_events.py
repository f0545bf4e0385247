"""Events of runs: numbered, kept over restarts, a line cut by a kill dropped, bounded."""

from __future__ import annotations

from pathlib import Path

from salus.store.events import MAX_LINE_BYTES, EventLog

RUN = "run_0123456789abcdef"


def test_numbers_go_up_and_on_after_a_restart(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    assert log.append(RUN, [("started", {"attempt": 1}), ("epoch", {"说": "你好"})]) == 2
    again = EventLog(tmp_path / "events")
    assert again.append(RUN, [("ended", {})]) == 3
    assert [(event["seq"], event["name"]) for event in again.after(RUN, 1)] == [(2, "epoch"), (3, "ended")]
    assert again.after(RUN, 1)[0]["fields"] == {"说": "你好"}
    assert again.after(RUN, 3) == [] and again.after(RUN, -5, limit=1)[0]["seq"] == 1
    assert (tmp_path / "events" / f"{RUN}.jsonl").stat().st_mode & 0o777 == 0o600


def test_an_event_that_is_too_long_is_left_out(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    log.append(RUN, [("long", {"text": "x" * MAX_LINE_BYTES}), ("short", {})])
    assert [(event["seq"], event["name"]) for event in log.after(RUN, 0)] == [(1, "short")]


def test_more_runs_than_are_kept_in_memory(tmp_path: Path) -> None:
    log = EventLog(tmp_path / "events")
    for number in range(100):
        log.append(f"run_{number}", [("started", {"number": number})])
    for number in (0, 99):
        assert [event["fields"] for event in log.after(f"run_{number}", 0)] == [{"number": number}]
    assert log.last("run_none") is None
