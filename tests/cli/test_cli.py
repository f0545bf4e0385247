"""The commands, as a person runs them, against a pretend service: what is printed, what is asked, how they exit."""

from __future__ import annotations

import base64
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from salus.cli import main as cli
from salus.cli import output
from salus.testing.service import KEY, FakeService

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)


@dataclass
class Told:
    code: int
    out: str
    err: str

    @property
    def json(self) -> object:
        return json.loads(self.out)


Run = Callable[..., Told]


@pytest.fixture(name="service")
def _service() -> Iterator[FakeService]:
    service = FakeService()
    service.start()
    yield service
    service.stop()


@pytest.fixture(name="run")
def _run(
    service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs a command in this process on a home whose service is the pretended one."""
    home = tmp_path / "home"
    (home / "keys").mkdir(parents=True)
    (home / "keys" / "owner.key").write_text(KEY)
    port = service.url.rsplit(":", 1)[1]
    monkeypatch.setenv("SALUS_HOME", str(home))
    monkeypatch.setenv("SALUS_CONTROL_PORT", port)
    monkeypatch.setenv("SALUS_MODEL_SERVER_PORT", port)

    def run(*words: str) -> Told:
        monkeypatch.setattr(sys, "argv", ["salus", *words])
        with pytest.raises(SystemExit) as caught:
            cli.main()
        printed = capsys.readouterr()
        return Told(int(caught.value.code or 0), printed.out, printed.err)

    return run


def table(folder: Path) -> Path:
    path = folder / "people.csv"
    path.write_text("age,city,label\n40,Oslo,yes\n50,Rome,no\n")
    return path


def test_launch_goes_from_a_file_to_a_curl_line(run: Run, service: FakeService, tmp_path: Path) -> None:
    service.preview = [{"age": None, "city": "x", "label": "no"}, {"age": 50.0, "city": "Ro'me", "label": "no"}]
    told = run("launch", str(table(tmp_path)), "--target", "label", "--group", "city", "--budget", "2m")
    assert told.code == 0, told.err
    assert "accuracy: 0.900 (95 % interval 0.800 to 0.950); doing nothing 0.600" in told.out
    asked = json.loads(service.requests[-1][2])
    assert (asked["spec"]["target"], asked["spec"]["group"], asked["spec"]["budget_s"]) == (["label"], "city", 120.0)
    assert (asked["data_set"], asked["model"], asked["deploy"], asked["version"]) == ("people",) * 3 + ("d" * 64,)
    line = next(line for line in told.out.splitlines() if line.startswith("curl "))
    assert json.loads(shlex.split(line)[shlex.split(line).index("-d") + 1]) == {
        "rows": [{"age": 50.0, "city": "Ro'me"}]
    }
    key = tmp_path / "home" / "keys" / "predict.key"
    assert key.stat().st_mode & 0o777 == 0o600 and KEY not in line
    assert service.keys[0]["scopes"] == ["predict"]
    answer = subprocess.run(["sh", "-c", line], capture_output=True, check=True, timeout=20)
    assert json.loads(answer.stdout)["predictions"][0]["label"] == "yes"
    page = next(line for line in told.out.splitlines() if line.startswith("The report: ")).removeprefix("The report: ")
    assert Path(page).read_text().startswith("<!doctype html>")


def test_train_ends_with_what_a_person_asks_and_json_with_the_run(run: Run, service: FakeService) -> None:
    told = run("train", "people", "--target", "label")
    assert told.code == 0, told.err
    assert "accuracy: 0.900 (95 % interval 0.800 to 0.950); doing nothing 0.600" in told.out
    assert "salus deploy people" in told.out and "salus explain run_" in told.out
    assert "spec:" not in told.out and "{" not in told.out
    told = run("train", "people", "--target", "label", "--json")
    assert isinstance(told.json, dict) and told.json["state"] == "succeeded"


def test_the_key_is_made_once_and_again_when_it_was_revoked(run: Run, service: FakeService, tmp_path: Path) -> None:
    for _ in range(2):
        assert run("launch", str(table(tmp_path)), "--target", "label").code == 0
    assert len(service.keys) == 1
    service.keys[0]["revoked"] = "2026-01-01T00:00:00Z"
    run("launch", str(table(tmp_path)), "--target", "label")
    assert len(service.keys) == 2


def test_pictures_are_sent_as_they_are(run: Run, service: FakeService, tmp_path: Path) -> None:
    service.example = {"image": {"base64": base64.b64encode(PNG).decode()}}
    for name in ("train/cat/a.png", "testing/cat/b b.png"):
        (tmp_path / "pets" / name).parent.mkdir(parents=True)
        (tmp_path / "pets" / name).write_bytes(PNG)
    told = run("launch", str(tmp_path / "pets"), "--target", "label", "--json")
    line = str(json.loads(told.out)["curl"])
    assert f"@{tmp_path}/pets/testing/cat/b b.png" in shlex.split(line)
    subprocess.run(["sh", "-c", line], capture_output=True, check=True, timeout=20)
    assert service.requests[-1][1:] == ("image/png", PNG)


def test_a_picture_of_a_table_is_kept_in_the_home(run: Run, service: FakeService, tmp_path: Path) -> None:
    text = base64.b64encode(PNG).decode()
    service.example = {"image": {"base64": text}}
    service.preview = [{"image": text, "label": "cat"}]
    line = str(json.loads(run("launch", str(table(tmp_path)), "--target", "label", "--json").out)["curl"])
    subprocess.run(["sh", "-c", line], capture_output=True, check=True, timeout=20)
    assert service.requests[-1][1:] == ("image/png", PNG)


def test_a_gate_that_says_no_is_told(run: Run, service: FakeService, tmp_path: Path) -> None:
    service.gate_passes = False
    told = run("launch", str(table(tmp_path)), "--target", "label")
    assert told.code == 1 and "gate did not let" in told.out and "curl" not in told.out


def test_a_failed_run_says_code_text_and_what_to_do(run: Run, service: FakeService, tmp_path: Path) -> None:
    service.fail_next = {"code": "no_labels", "detail": "bad \x1b[2Jwords", "next": "mend it"}
    told = run("launch", str(table(tmp_path)), "--target", "label")
    assert told.code == 1
    assert "bad \\u001b[2Jwords" in told.err and "mend it" in told.err and "no_labels" in told.err
    service.fail_next = {"code": "no_labels", "detail": "bad", "next": "mend it"}
    told = run("launch", str(table(tmp_path)), "--target", "label", "--json")
    assert told.json == {"error": {"code": "no_labels", "detail": "bad", "next": "mend it"}}


def test_errors_are_told_in_the_language_of_who_asks(
    run: Run, service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SALUS_LANGUAGE", "zh")
    told = run("launch", str(tmp_path / "nowhere.csv"), "--target", "label")
    assert told.code == 1 and "请" in told.err and "Check the path" not in told.err
    assert run("train", "people", "--target", "label").code == 0
    assert service.languages == {"zh"}


def test_control_characters_never_reach_the_terminal(run: Run, tmp_path: Path) -> None:
    run("data", "add", str(table(tmp_path)), "--name", "people")
    for words in (("data", "show", "people"), ("data", "show", "people", "--json"), ("runs", "watch", "run_0")):
        told = run(*words)
        assert told.code == 0 and "\x1b" not in told.out and "\x07" not in told.out


def test_leaving_a_run_says_how_to_come_back(
    run: Run, service: FakeService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from salus.sdk.client import Client

    def interrupted(*_: object) -> Iterator[dict[str, object]]:
        yield {"name": "read", "fields": {}}
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "watch", interrupted)
    told = run("train", "people", "--target", "label")
    assert told.code == 130
    assert "salus runs watch run_0" in told.out and "salus runs cancel run_0" in told.out
    assert service.runs["run_0"]["state"] == "succeeded"


def test_lists_and_single_things(run: Run, tmp_path: Path) -> None:
    assert "No data yet." in run("data", "list").out
    assert run("data", "add", str(table(tmp_path)), "--kind", "age=category").code == 0
    assert "people" in run("data", "list").out
    assert run("train", "people", "--target", "label", "--no-wait", "--json").code == 0
    runs = run("runs", "list", "--json").json
    assert isinstance(runs, list) and len(runs) == 2
    assert "2" in run("models", "list").out
    assert run("deploy", "people", "--endpoint", "live", "--json").json == {
        "name": "live", "model": "people", "version": 2, "state": "ready",
    }  # fmt: skip
    assert "live" in run("endpoints", "list").out
    assert run("runs", "cancel", "run_1").code == 0
    said = run("report", "run_1").out
    assert said.startswith("On 30 rows of 3 people or groups it never saw: accuracy 0.9 (95 % interval 0.8 to 0.95)")
    assert "accuracy: 0.900" in said
    assert Path(run("report", "run_1", "--open-path").out.strip()).exists()


def test_predict_takes_json_a_file_and_a_picture(run: Run, service: FakeService, tmp_path: Path) -> None:
    assert run("predict", "live", '{"age": 40}').json == [{"label": "yes", "probability": 0.8}]
    (tmp_path / "rows.json").write_text('{"rows": [{"age": 1}, {"age": 2}]}')
    answers = run("predict", "live", str(tmp_path / "rows.json")).json
    assert isinstance(answers, list) and len(answers) == 2
    (tmp_path / "a.png").write_bytes(PNG)
    assert "yes" in run("predict", "live", str(tmp_path / "a.png")).out
    assert run("predict", "live", "nowhere.json").code == 1
    assert "bad_json" in run("predict", "live", '{"a": NaN}').err


def test_keys(run: Run) -> None:
    made = run("keys", "create", "app", "--scope", "predict", "--expires", "2h", "--json").json
    assert isinstance(made, dict) and made["key"].startswith("salus_") and made["expires_s"] == 7200
    assert "app" in run("keys", "list").out
    assert run("keys", "revoke", made["id"]).code == 0


def test_settings_and_doctor(run: Run) -> None:
    assert "max_upload_bytes" in run("settings").out
    checks = run("doctor", "--json").json
    assert isinstance(checks, list)
    found = {check["check"]: check for check in checks}
    assert {"sqlite", "free space", "openmp", "torch", "processor", "home"} <= set(found)
    assert found["service"]["verdict"] == "ok"


@pytest.mark.parametrize("words", [("fly",), ("launch",), ("runs", "watch"), ("train", "x", "--target")])
def test_words_that_no_command_takes_exit_with_2(run: Run, words: tuple[str, ...]) -> None:
    assert run(*words).code == 2


def test_help_is_quick_and_loads_nothing_heavy(tmp_path: Path) -> None:
    script = (
        "import sys; from salus.cli.main import app; import contextlib\n"
        "with contextlib.suppress(SystemExit): app(['--help'])\n"
        "heavy = {'httpx2', 'rich', 'pydantic', 'numpy', 'torch', 'onnx'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else 0)"
    )
    seconds = []
    for _ in range(3):
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, env=os.environ
        )
        seconds.append(time.monotonic() - began)
        assert done.returncode == 0, done.stderr
    assert min(seconds) < 1.0


def test_a_record_is_shown_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    output.show({"name": "walks", "versions": [{"number": 2, "headline": {"metric": "auc"}}, {"number": 1}]}, False)
    shown = capsys.readouterr().out.splitlines()
    assert shown == ["name: walks", "versions:", "  - number: 2", "    headline:", "      metric: auc", "  - number: 1"]
