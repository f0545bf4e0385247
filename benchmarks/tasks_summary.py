"""Summaries: abstracts of papers in a sentence (SciTLDR), news in a paragraph (BBC), titles of Chinese papers (CSL).

SciTLDR keeps its own sides, and its test has several references a text; of the news every fifth distinct article judges and equal articles
are on one side; of CSL the dev side is learned from and the test side judges. Lead and TextRank are the two learners that
learn nothing but how long a summary is, taken through the same path on the same rows: their length and the order of their sentences
are chosen on the same rows held out. Answers are asked for as a request would. English is counted here by the library
`rouge-score`, without stemming, Chinese by characters; of several references the best counts. `beyond`: the paired difference
with its 95 % interval over texts.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import salus

NAMES = ("scitldr", "bbc_summary", "csl")
BUDGET_S = 180.0
PEER_BUDGET_S = 60.0
ASKED_AT_ONCE = 100
METRICS = ("rouge_1", "rouge_2", "rouge_l")
DRAWS = 4000
ITEM = "\u2029"

Rows = list[tuple[str, list[str]]]  # a text and its references


def run(name: str, data: Path, budget_s: float | None, threads: int, seed: int) -> dict[str, Any]:
    """Figures of one set."""
    with tempfile.TemporaryDirectory() as folder:
        path, read, columns, test = read_set(name, data, Path(folder))
        version = salus.read(path, **read)
    source, target, ignored = columns
    said = {"threads": threads, "seed": seed, "ignore": ignored, "task": "summarization"}
    found: dict[str, Any] = {"test_texts": len(test), "counted_by": "characters" if name == "csl" else "rouge-score"}
    count = _characters if name == "csl" else _library()
    scores = {}
    for learner, seconds in (("auto", budget_s or BUDGET_S), ("lead", PEER_BUDGET_S), ("textrank", PEER_BUDGET_S)):
        began = time.monotonic()
        model = salus.fit(version, target, budget=seconds, learner=learner, **said)
        took_s = time.monotonic() - began
        asked_at, answers = time.monotonic(), list[str]()
        for start in range(0, len(test), ASKED_AT_ONCE):
            rows = [{source: text} for text, _ in test[start : start + ASKED_AT_ONCE]]
            answers += [answer["text"] for answer in model.predict(rows)]
        asked_s = time.monotonic() - asked_at
        each = [count(answer, wanted) for answer, (_, wanted) in zip(answers, test, strict=True)]
        scores[learner] = np.array(each)
        found["salus" if learner == "auto" else learner] = {
            **{metric: round(float(scores[learner][:, at].mean()), 4) for at, metric in enumerate(METRICS)},
            "seconds": round(took_s, 1),
            "asked_rows_per_s": round(len(test) / asked_s, 1),
            "report": _told(model.report),
        }
    found["beyond"] = {peer: _beyond(scores["auto"], scores[peer], seed) for peer in ("lead", "textrank")}
    return found


def read_set(name: str, data: Path, folder: Path) -> tuple[Path, dict[str, Any], tuple[str, str, list[str]], Rows]:
    """(the path, how it is read, (source, target, what is ignored), the rows that judge)."""
    if name == "scitldr":
        path = data / "scitldr"
        rows = [json.loads(line) for line in (path / "test.jsonl").read_text(encoding="utf-8").splitlines()]
        ignored = ["source_labels", "rouge_scores", "paper_id", "title"]
        return path, {}, ("source", "target", ignored), [(ITEM.join(row["source"]), row["target"]) for row in rows]
    if name == "bbc_summary":
        return _news(data / "bbc_news_summary" / "bbc.jsonl", folder)
    for side, file in (("train", "dev.tsv"), ("test", "test.tsv")):
        shutil.copyfile(data / "csl_titles_zh" / file, folder / f"{side}.tsv")
    lines = (folder / "test.tsv").read_text(encoding="utf-8").splitlines()
    rows = [line.split("\t") for line in lines]
    return folder, {"header": False}, ("c1", "c2", ["c0"]), [(row[1], [row[2]]) for row in rows]


def _news(file: Path, folder: Path) -> tuple[Path, dict[str, Any], tuple[str, str, list[str]], Rows]:
    items = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    place = {text: at for at, text in enumerate(dict.fromkeys(item["article"] for item in items))}
    written, test = [], list[tuple[str, list[str]]]()
    for item in items:
        judges = place[item["article"]] % 5 == 4
        row = {"article": item["article"], "summary": item["summary"], "split": "test" if judges else "train"}
        written.append(json.dumps(row, ensure_ascii=False))
        if judges:
            test.append((item["article"], [item["summary"]]))
    path = folder / "news.jsonl"
    path.write_text("\n".join(written), encoding="utf-8")
    return path, {}, ("article", "summary", []), test


def _library() -> Any:
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"])

    def count(answer: str, references: list[str]) -> list[float]:
        scored = [scorer.score(reference, answer) for reference in references]
        return [max(one[name].fmeasure for one in scored) for name in ("rouge1", "rouge2", "rougeL")]

    return count


def _characters(answer: str, references: list[str]) -> list[float]:
    from salus.tasks.rouge import best_rouge

    return list(best_rouge(answer, references).tolist())


def _beyond(ours: np.ndarray, theirs: np.ndarray, seed: int) -> dict[str, Any]:
    """Differences of means, and their 95 % intervals by drawing texts."""
    generator = np.random.default_rng(seed)
    apart = ours - theirs
    drawn = np.stack([apart[generator.integers(0, len(apart), len(apart))].mean(axis=0) for _ in range(DRAWS)])
    low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return {
        metric: {
            name: round(float(value[at]), 4) for name, value in (("mean", apart.mean(0)), ("low", low), ("high", high))
        }
        for at, metric in enumerate(METRICS)
    }


def _told(report: dict[str, Any]) -> dict[str, Any]:
    return {
        "metrics": {name: round(item["value"], 4) for name, item in report["metrics"].items()},
        "split": {side: report["split"][side] for side in ("train", "validation", "test")},
        "learner": report["learner"]["name"],
        "details": {
            name: value for name, value in report["learner"]["details"].items() if name not in ("curve", "checks")
        },
        "tried": report["tried"],
        "words": report["facts"]["words"],
        "one_row_ms": report["latency"]["one_row_ms"],
        "graph_bytes": report["size_bytes"],
    }
