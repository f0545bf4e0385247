"""Which candidate wins, when an ensemble is worth it, what trials ask, and what is said about it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import salus
from salus.core.errors import SalusError
from salus.core.explain import explain
from salus.learners.base import Part
from salus.study.choose import best_single, choose, standard_error
from salus.study.fit import Candidate, answers_of, calibration_of, losses_of
from salus.study.lesson import Lesson, take_feeds
from salus.study.tune import ask, searches
from salus.tasks import task_named


def lesson(target: np.ndarray, groups: np.ndarray | None = None) -> Lesson:
    rows = np.arange(len(target))
    part = Part({"numbers": np.zeros((len(target), 1), np.float32)}, target, rows, groups)
    schema: Any = None
    return Lesson("final", schema, part, ((rows[:0], rows),), True, task_named("binary-classification"), 2, 0, 1)


def candidate(place: int, scores: np.ndarray, target: np.ndarray, ms: float = 0.1) -> Candidate:
    calibration = calibration_of(scores, target, None)
    losses = losses_of(answers_of(scores, calibration), target, True)
    loss = float(losses.mean())
    return Candidate(place, f"learner{place}", {}, {}, {}, 1.0, scores, losses, loss, calibration, ms, 1000)


def of_margin(margin: np.ndarray) -> np.ndarray:
    return np.stack([-margin / 2, margin / 2], axis=1)


@pytest.fixture
def problem() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A truth and three margins: two that see other halves of it, one that sees a little more than the first by chance."""
    generator = np.random.default_rng(0)
    first, second = generator.normal(0, 1, 2000), generator.normal(0, 1, 2000)
    target = (first + second + generator.normal(0, 0.5, 2000) > 0).astype(np.int64)
    return target, first * 2, second * 2, first * 2 + generator.normal(0, 0.05, 2000)


def test_a_later_one_must_be_better_by_more_than_luck(problem: Any) -> None:
    target, first, _, nearly = problem
    same = [candidate(0, of_margin(first), target), candidate(1, of_margin(nearly), target)]
    assert best_single(same, None) is same[0]
    better = [candidate(0, of_margin(first), target), candidate(1, of_margin(first + problem[2]), target)]
    assert best_single(better, None) is better[1]


def test_a_mean_with_a_simpler_one_needs_half_of_that(problem: Any) -> None:
    target, first, *_ = problem
    simple, later = (candidate(place, of_margin(first), target) for place in (0, 1))
    errors = np.random.default_rng(1).normal(0, 0.1, len(target))
    gains = (errors - errors.mean()) / errors.std() * 0.1 + 0.1 * 0.75 / np.sqrt(
        len(target)
    )  # three quarters of an error
    better = replace(later, row_losses=simple.row_losses - gains)
    assert best_single([simple, better], None) is simple
    mean = replace(better, details={"mixed_with": "learner0"})
    assert best_single([simple, mean], None) is mean


def test_models_that_see_different_things_answer_together(problem: Any) -> None:
    target, first, second, _ = problem
    candidates = [candidate(0, of_margin(first), target), candidate(1, of_margin(second), target)]
    choice = choose(candidates, lesson(target), None)
    assert {member.place for member, _ in choice.members} == {0, 1} and choice.gain > choice.error > 0
    assert sum(weight for _, weight in choice.members) == pytest.approx(1)
    alone = choose(candidates, lesson(target), None, ensemble=False)
    assert len(alone.members) == 1


def test_what_answers_too_slowly_is_left_out(problem: Any) -> None:
    target, first, second, _ = problem
    candidates = [candidate(0, of_margin(first), target, 3.0), candidate(1, of_margin(second), target, 0.2)]
    assert choose(candidates, lesson(target), 1.0).members[0][0].place == 1
    assert len(choose(candidates, lesson(target), 3.1).members) == 1  # together they take 3.2 ms
    with pytest.raises(SalusError) as caught:
        choose(candidates, lesson(target), 0.1)
    assert caught.value.code == "too_slow"


def test_rows_of_one_person_count_together() -> None:
    gains = np.random.default_rng(1).normal(0.1, 1, 200)
    groups = np.repeat(np.arange(20), 10)
    together = np.repeat(gains[:20], 10)
    assert standard_error(together, groups) > 2 * standard_error(together, None)
    assert standard_error(gains, groups) == pytest.approx(standard_error(gains, None), rel=0.5)


def test_feeds_of_rows_bring_their_own_windows() -> None:
    feeds = {
        "series": np.arange(5, dtype=np.float32).reshape(5, 1, 1),
        "series_rows": np.array([[0.5, 0.5, 0, 0, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0.5, 0.5]], np.float32),
        "numbers": np.arange(3, dtype=np.float32)[:, None],
    }
    taken = take_feeds(feeds, np.array([2, 0]))
    means = taken["series_rows"] @ taken["series"][:, 0]
    assert means[:, 0].tolist() == [3.5, 0.5] and taken["numbers"][:, 0].tolist() == [2, 0]


def test_trials_follow_from_seed_and_records_alone() -> None:
    base = salus_default("boosting")
    told = [(base, 0.5)]
    first = ask("boosting", base, {}, told, 3, 0)
    assert first == ask("boosting", base, {}, told, 3, 0) != ask("boosting", base, {}, told, 4, 0)
    changed = {name for name in base if base[name] != first[name]}
    assert changed and changed <= set(searches("boosting"))
    name = next(iter(searches("boosting")))
    assert ask("boosting", base, {name: base[name]}, [], 3, 1)[name] == base[name]


def salus_default(learner: str) -> dict[str, Any]:
    from salus.learners import learner_named

    return dict(learner_named(learner).Config().model_dump(mode="json"))


def people(folder: Path) -> Path:
    """Fifteen people whose habits tell who they are, and an answer that depends on them and a little on a measurement."""
    generator = np.random.default_rng(2)
    lines = ["patient_id,height,pulse,ill"]
    for person in range(15):
        height, ill = generator.normal(170, 9), generator.random() < 0.5
        for _ in range(20):
            pulse = generator.normal(65 + 6 * ill, 5)
            lines.append(f"{person},{height:.1f},{pulse:.1f},{'yes' if ill else 'no'}")
    (folder / "people.csv").write_text("\n".join(lines))
    return folder / "people.csv"


def test_people_are_found_kept_whole_and_the_flattery_is_shown(tmp_path: Path) -> None:
    model = salus.fit(people(tmp_path), "ill", budget="15s", learner="boosting")
    report = model.report
    assert report["group"] == "patient_id" and report["split"]["how"] == "group-folds"
    assert "group_used" in {finding["code"] for finding in report["findings"]}
    contrast = report["contrast"]
    assert contrast["value"] > report["metrics"][contrast["metric"]]["value"]  # height gives the person away
    said = " ".join(model.explain())
    assert "lain on both sides" in said and "judged in their turn" in said
    assert model.explain("zh") != model.explain()
    assert "准入" in model.bundle.text("report.zh.html") and "准入" not in model.bundle.text("report.html")
    assert explain({"choice": None}) == []


def test_decisions_reach_the_answers(tmp_path: Path) -> None:
    threshold = {"positive": "yes", "sensitivity": 0.95}
    model = salus.fit(
        people(tmp_path),
        "ill",
        budget="8s",
        learner="linear",
        threshold=threshold,
        coverage=0.6,
        ignore=("patient_id",),
    )
    answers = model.predict([{"height": 170, "pulse": pulse} for pulse in (55, 66, 80)])
    assert {answer.get("abstained", False) for answer in answers} == {True, False}
    assert model.report["decision"] and model.report["abstention"]


def test_a_number_comes_with_how_far_off_it_may_be() -> None:
    model = salus.fit("sklearn:diabetes", "target", budget="8s", learner="linear")
    row = model.bundle.examples()["rows"][0]
    answer = model.predict([row])[0]
    assert answer["low"]["target"] < answer["value"] < answer["high"]["target"]
    assert model.report["conformal"]


def test_the_future_judges(tmp_path: Path) -> None:
    generator = np.random.default_rng(3)
    lines = ["day,load,use"]
    for day in range(400):
        load = generator.normal(10, 3)
        lines.append(f"2024-{1 + day // 40:02d}-{1 + day % 28:02d},{load:.2f},{2 * load + generator.normal():.2f}")
    (tmp_path / "use.csv").write_text("\n".join(lines))
    model = salus.fit(tmp_path / "use.csv", "use", budget="6s", learner="linear", time="day")
    assert model.report["split"]["how"] == "time" and model.report["metrics"]["r2"]["value"] > 0.8


def test_a_version_is_compared_with_the_one_before(tmp_path: Path) -> None:
    from salus.bundle.read import open_folder
    from salus.core.context import Context
    from salus.core.specs import TrainSpec
    from salus.study.before import Before
    from salus.study.study import run_study

    generator = np.random.default_rng(4)
    lines = ["x,y,side,label"]
    for row in range(600):
        x, y = generator.normal(size=2)
        side = "test" if row % 3 == 0 else "train"
        lines.append(f"{x:.3f},{y:.3f},{side},{'a' if x + y > 0 else 'b'}")
    (tmp_path / "t.csv").write_text("\n".join(lines))
    version = salus.read(tmp_path / "t.csv")
    plain = TrainSpec(target=("label",), split="side", budget_s=4, learner="tree", options={"max_leaves": 2})
    first = run_study(version, plain, Context(), tmp_path / "one")
    assert first.report()["versus"] is None
    better = plain.model_copy(update={"learner": "linear", "options": {}})
    before = Before("pairs@1", open_folder(tmp_path / "one"))
    second = run_study(version, better, Context(), tmp_path / "two", before=before).report()
    assert second["versus"]["name"] == "pairs@1" and second["versus"]["surely"] == "better"
    elsewhere = better.model_copy(update={"split": None, "ignore": ("side",)})
    third = run_study(version, elsewhere, Context(), tmp_path / "three", before=before).report()
    assert third["versus"] is None  # it may have learned from these rows
