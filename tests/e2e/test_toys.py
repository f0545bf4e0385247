"""The promise 'one file, one name in the list': a toy kind, toy learners and a toy compound task with its measure are put into a
copy of the house and taken from a file to an answer by its real programs."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

import salus
from salus.testing.running import RunningService

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def add_name(file: Path, dictionary: str, name: str, place: str) -> None:
    """One line in a list of the house."""
    text = file.read_text(encoding="utf-8")
    head = f"{dictionary}: dict[str, str] = {{\n"
    text = text.replace(f"{dictionary}: dict[str, str] = {{}}", f"{head}}}")
    assert text.count(head) == 1
    file.write_text(text.replace(head, f'{head}    "{name}": "{place}",\n'), encoding="utf-8")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The interpreter of an environment that sees the copy of the house first, then the libraries of this one."""
    folder = tmp_path_factory.mktemp("toys")
    source = folder / "src"
    shutil.copytree(Path(salus.__file__).parent, source / "salus", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "toy_shout.py", source / "salus" / "data" / "kinds" / "shout.py")
    shutil.copy(HERE / "toy_shares.py", source / "salus" / "learners" / "shares.py")
    add_name(source / "salus" / "data" / "kinds" / "__init__.py", "KINDS", "shout", "salus.data.kinds.shout:Shout")
    add_name(source / "salus" / "learners" / "__init__.py", "LEARNERS", "shares", "salus.learners.shares:Shares")
    for toy, room, dictionary, name, attribute in (
        ("task", "tasks", "TASKS", "verdict", "Verdict"),
        ("learner", "learners", "LEARNERS", "verdicts", "Verdicts"),
        ("measure", "evaluation/measures", "MEASURES", "verdict", "Verdicts"),
    ):
        shutil.copy(HERE / f"toy_verdict_{toy}.py", source / "salus" / room / "verdict.py")
        place = f"salus.{room.replace('/', '.')}.verdict:{attribute}"
        add_name(source / "salus" / room / "__init__.py", dictionary, name, place)
    shown = source / "salus" / "evaluation" / "report" / "shown" / "__init__.py"
    add_name(shown, "SHOWN", "verdicts", "salus.evaluation.measures.verdict:verdicts")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    paths = sysconfig.get_paths(vars={"base": str(folder / "venv"), "platbase": str(folder / "venv")})
    lines = f"{source}\n{sysconfig.get_paths()['purelib']}\n"
    (Path(paths["purelib"]) / "house.pth").write_text(lines, encoding="utf-8")
    found = str(folder / "venv" / "bin" / "python")
    subprocess.run([found, ROOT / "scripts" / "make_catalogue.py"], check=True)
    where = subprocess.run(
        [found, "-c", "import salus; print(salus.__file__)"], capture_output=True, text=True, check=True
    )
    assert Path(where.stdout.strip()).is_relative_to(source)
    return found


@pytest.fixture(scope="module")
def house(python: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    running = RunningService(tmp_path_factory.mktemp("toyhome") / "home", python=python)
    running.up()
    try:
        yield running
    finally:
        running.down()


def shouts(path: Path) -> Path:
    """Who is angry writes in capitals, mostly."""
    generator = random.Random(5)
    lines = ["said,mood"]
    for _ in range(200):
        angry = generator.random() < 0.5
        loud = angry != (generator.random() < 0.05)
        word = "".join(generator.choice("abcdefghij") for _ in range(8))
        lines.append(f"{word.upper() if loud else word}!,{'angry' if angry else 'calm'}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_toy_kind_and_a_toy_learner_from_file_to_answer(house: RunningService, tmp_path: Path) -> None:
    path = shouts(tmp_path / "shouts.csv")
    launched = house.json("launch", str(path), "--target", "mood", "--learner", "shares", "--budget", "2s")
    assert launched["deployed"] and launched["metrics"]["accuracy"]["value"] > 0.8
    columns = house.json("data", "show", "shouts")["versions"][0]["schema"]["columns"]
    assert {column["name"]: column["kind"] for column in columns} == {"said": "shout", "mood": "category"}
    answer = subprocess.run(["sh", "-c", launched["curl"]], capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(answer.stdout)["predictions"][0]["label"] in ("angry", "calm")
    with house.client() as client:
        predicted = client.predict("shouts", [{"said": "GO AWAY!"}, {"said": "hello!"}, {"said": None}])
    assert [found["label"] for found in predicted] == ["angry", "calm", "calm"]


def test_options_of_the_toy_are_in_the_catalogue(house: RunningService, tmp_path: Path) -> None:
    path = shouts(tmp_path / "more.csv")
    words = ("launch", str(path), "--target", "mood", "--learner", "shares", "--budget", "2s")
    error = house.json(*words, "--option", "added_rows=0", code=1)["error"]
    assert error["code"] == "bad_spec" and "added_rows" in error["detail"]


def test_the_learner_learns_from_numbers_too(house: RunningService) -> None:
    words = ("launch", "sklearn:breast_cancer", "--target", "target", "--learner", "shares", "--budget", "2s")
    launched = house.json(*words)
    assert launched["deployed"] and launched["metrics"]["accuracy"]["value"] > 0.7


def test_a_compound_task_from_file_to_answer(house: RunningService, tmp_path: Path) -> None:
    generator = random.Random(6)
    high, low = (
        "much more than most people have on a day like this one",
        "hardly anything to speak of, say those who know",
    )
    lines = ["steps,told"]
    for _ in range(200):
        steps = generator.gauss(0, 1)
        lines.append(f'{steps:.4f},"{high if (steps > 0) != (generator.random() < 0.05) else low}"')
    path = tmp_path / "verdicts.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    launched = house.json(
        "launch", str(path), "--target", "told", "--task", "verdict", "--learner", "verdicts", "--budget", "2s"
    )
    assert launched["deployed"] and launched["metrics"]["exact"]["value"] > 0.8
    answer = subprocess.run(["sh", "-c", launched["curl"]], capture_output=True, text=True, timeout=30, check=True)
    assert json.loads(answer.stdout)["predictions"][0]["text"] in (high, low)
    with house.client() as client:
        predicted = client.predict("verdicts", [{"steps": -2.0}, {"steps": 2.0}])
    assert [found["text"] for found in predicted] == [low, high]
