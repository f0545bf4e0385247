"""Texts cut into sentences, and what shows of each sentence how much it says of its text.

Position, length, what it has in common with the rest (Luhn 1958; Edmundson 1969), and how central it is in the graph of sentences that
are alike (TextRank, Mihalcea and Tarau 2004; LexRank, Erkan and Radev 2004). How rare words are is learned from train
texts and kept by the hash of a word. Knows no learner and no language: latin, and scripts without spaces.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from salus.data.pieces import WITHOUT_SPACES

ITEM = "\u2029"  # Unicode's paragraph separator: what sources put between the texts of a list
MOST_SENTENCES = 160  # of one text that are looked at
MOST_GRAMS = 160  # different n-grams of one sentence
GRAM_BUCKETS = 2**16
RARITY_BUCKETS = 2**14
SENTENCES_SHARE = 0.995  # so many of the train texts keep all their sentences
GRAMS_SHARE = 0.98  # so many of their sentences all their n-grams
DAMPING, PASSES = 0.85, 20  # of the walk from sentence to sentence that are alike
FREQUENT = 10  # words of a text that it is about, by frequency and rarity
COMMON = 1.6  # a word whose rarity is less, which one text in five has, says nothing of what a text is about
_WORD = re.compile(f"[{WITHOUT_SPACES}]|[^\\W_{WITHOUT_SPACES}]+")
Grams = Callable[[str, int, int], np.ndarray]  # text, buckets, most -> the numbers of its n-grams, 1 to buckets
_CLOSING = "\"'”’」』）)\\]»"
# No part is tried again inside a run of blanks or marks that it failed on: a text of nothing else would take seconds.
_ENDS = (
    f"(?P<item>(?<!\\s)[^\\S{ITEM}]*+{ITEM}\\s*+)"
    f"|(?P<blank>(?<!\\s)[^\\S\\n]*+\\n\\s*\\n\\s*+)"
    f"|(?P<wide>(?:[。！？；]|……)+[{_CLOSING}]*\\s*|(?<=[{WITHOUT_SPACES}%）)])[.;!?](?=\\s*(?:[{WITHOUT_SPACES}\\n]|$)))"
    f"|(?P<stop>(?<![.!?])(?<![^…]…)[.!?…]++[{_CLOSING}]*+)(?P<space>[^\\S\\n]*\\n\\s*|\\s+(?=[^\\Wa-z_]|[\"'“‘(\\[$£€«]))"
    f"|(?P<tight>(?<=[a-z0-9]{{2}})[.!?][{_CLOSING}]*)(?=[A-Z][a-z])"
)
_BREAK = re.compile(_ENDS)
_CLAUSE = re.compile(f"{_ENDS}|(?P<clause>[，；：,;:][{_CLOSING}]*(?:\\s+|(?<=[，；：])|(?=[{WITHOUT_SPACES}])))")
_SHORT = frozenset(
    (
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "st",
        "no",
        "vs",
        "etc",
        "eg",
        "ie",
        "al",
        "fig",
        "eq",
        "sec",
        "inc",
        "ltd",
        "co",
        "corp",
        "jr",
        "sr",
        "gen",
        "sen",
        "rep",
        "gov",
        "dept",
        "approx",
        "bzw",
        "ca",
        "z",
        "usw",
        "nr",
        "str",
    )
)
_LAST_WORD = re.compile(r"(?<!\d)([^\W\d_]+)$")

FEATURES = (
    "present",
    "place",
    "first",
    "last",
    "from_start",
    "from_end",
    "sentences",
    "words",
    "share_of_words",
    "walk",
    "degree",
    "centroid",
    "like_first",
    "like_before",
    "like_next",
    "rarity",
    "weight",
    "numbers",
    "capitals",
    "quoted",
    "asks",
    "begins_part",
    "part",
    "in_heading",
    "frequent",
    "usual",
    "walk_words",
    "shared",
    "centroid_words",
    "rank_walk",
    "rank_shared",
    "rank_centroid",
    "rank_words",
    "before_it",
)


def sentences_of(text: str, most: int = MOST_SENTENCES, clauses: bool = False) -> list[str]:
    """The sentences of a text in their order, at most so many, without the space around them; none of an empty text. clauses: what
    stands between commas instead."""
    return [sentence for sentence, _ in _cut(text, most, clauses)]


def fit_sentences(texts: Sequence[str], grams: Grams, most_cells: int, clauses: bool = False) -> dict[str, Any]:
    """What must be remembered of train texts: how many sentences and n-grams to look at, how rare words are.

    most_cells: n-grams of all texts together.
    """
    lengths, counts = list[int](), list[int]()
    seen, rows = np.zeros(RARITY_BUCKETS, dtype=np.int64), max(1, len(texts))
    for text in texts:
        found = sentences_of(text, clauses=clauses)
        lengths.append(len(found))
        counts += [len(grams(sentence, GRAM_BUCKETS, MOST_GRAMS)) for sentence in found[:: max(1, len(found) // 4)]]
        seen[np.unique(word_buckets(text))] += 1
    sentences = long_enough(lengths, SENTENCES_SHARE, MOST_SENTENCES)
    width = min(long_enough(counts, GRAMS_SHARE, MOST_GRAMS), max(1, most_cells // (rows * sentences)))
    rarity = np.log((1 + rows) / (1 + seen))
    # Steps of an eighth in one letter each: a word's rarity need not be finer.
    letters = np.minimum(np.round(rarity * 8), 90).astype(np.uint8) + 33
    return {"most": sentences, "grams": width, "rarity": letters.tobytes().decode("ascii"), "clauses": clauses}


def encode_sentences(texts: Sequence[str], state: Mapping[str, Any], grams: Grams) -> dict[str, np.ndarray]:
    """`sentences` float32 (B, S, F) and `sentence_grams` int32 (B, S, G) of texts; zeros where there is no sentence."""
    most, width, rarity = int(state["most"]), int(state["grams"]), rarity_of(state)
    features = np.zeros((len(texts), most, len(FEATURES)), np.float32)
    ids = np.zeros((len(texts), most, width), np.int32)
    for row, text in enumerate(texts):
        found = _cut(text, most, bool(state["clauses"]))
        if not found:
            continue
        features[row, : len(found)] = features_of(found, rarity)
        for place, (sentence, _) in enumerate(found):
            numbers = grams(sentence, GRAM_BUCKETS, width)
            ids[row, place, : len(numbers)] = numbers
    return {"sentences": features, "sentence_grams": ids}


def rarity_of(state: Mapping[str, Any]) -> np.ndarray:
    """The rarity (buckets,) of words, float32."""
    return (np.frombuffer(state["rarity"].encode("ascii"), dtype=np.uint8).astype(np.float32) - 33) / 8


def word_buckets(text: str) -> np.ndarray:
    """The bucket of every word of a text in its order, int64."""
    words = _WORD.findall(unicodedata.normalize("NFKC", text).lower())
    return np.array([_bucket(word) for word in words], dtype=np.int64)


@lru_cache(maxsize=2**16)
def _bucket(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "surrogatepass")) % RARITY_BUCKETS


@dataclass(frozen=True)
class _Words:
    """The words of n sentences: counts (n, V) of V different ones, their rarity (V,), and how many each sentence has (n,)."""

    counts: np.ndarray
    rarity: np.ndarray
    lengths: np.ndarray

    @classmethod
    def of(cls, sentences: Sequence[str], rarity: np.ndarray) -> _Words:
        buckets = [word_buckets(sentence) for sentence in sentences]
        lengths = np.array([len(of_one) for of_one in buckets])
        every, places = np.unique(np.concatenate(buckets), return_inverse=True)
        counts = np.zeros((len(sentences), max(1, len(every))), np.float32)
        np.add.at(counts, (np.repeat(np.arange(len(sentences)), lengths), places), 1.0)
        return cls(counts, rarity[every] if len(every) else np.zeros(1, np.float32), lengths)

    def mean(self, of_words: np.ndarray) -> np.ndarray:
        """The mean (n,) over the words of each sentence of something that each different word has."""
        return np.asarray(self.counts @ of_words / np.maximum(self.lengths, 1))


def features_of(found: Sequence[tuple[str, int]], rarity: np.ndarray) -> np.ndarray:
    """(n, F) of sentences with the parts (paragraphs) that they stand in, as `FEATURES` names them."""
    sentences, parts = [sentence for sentence, _ in found], np.array([part for _, part in found])
    count, place = len(found), np.arange(len(found))
    words = _Words.of(sentences, rarity)
    lengths, totals = words.lengths.astype(np.float64), words.counts.sum(axis=0)
    vectors = _directions(np.log1p(words.counts) * np.maximum(words.rarity, 1e-3))
    alike = vectors @ vectors.T
    np.fill_diagonal(alike, 0.0)
    heading = words.counts[0] > 0 if count > 1 and sentences[0][-1:] not in ".!?。！？" else np.zeros(len(totals), bool)
    about = np.zeros(len(totals))
    about[np.argsort(-totals * words.rarity, kind="stable")[:FREQUENT]] = 1
    walked, shared, near = _in_words(words)
    columns = {
        "present": np.ones(count),
        "place": place / max(1, count - 1),
        "first": place == 0,
        "last": place == count - 1,
        "from_start": 1 / (1 + place),
        "from_end": 1 / (count - place),
        "sentences": np.full(count, np.log(count)),
        "words": np.log1p(lengths),
        "share_of_words": lengths / max(1.0, lengths.mean()) / 4,
        "walk": walk(alike) * count / 4,
        "degree": alike.sum(axis=1) / max(1, count - 1),
        "centroid": _nearness(vectors, vectors.sum(axis=0)),
        "like_first": np.where(place == 0, 0.0, alike[0]),
        "like_before": np.append(0.0, np.diagonal(alike, 1)),
        "like_next": np.append(np.diagonal(alike, 1), 0.0),
        "rarity": words.mean(words.rarity) / 4,
        "weight": words.counts @ words.rarity / max(1.0, float(totals @ words.rarity)),
        "numbers": [_share(sentence, str.isdigit) for sentence in sentences],
        "capitals": [_share(sentence, str.isupper) for sentence in sentences],
        "quoted": ['"' in sentence or "“" in sentence or "「" in sentence for sentence in sentences],
        "asks": ["?" in sentence or "？" in sentence for sentence in sentences],
        "begins_part": np.append(True, np.diff(parts) > 0),
        "part": np.minimum(parts, 10) / 10,
        "in_heading": words.mean(heading.astype(np.float64)),
        "frequent": words.mean(about),
        "usual": words.mean(totals / max(1.0, float(totals.sum()))) * 20,
        "walk_words": walked * count / 4,
        "shared": shared / max(1e-9, float(shared.max())),
        "centroid_words": near,
        "rank_walk": _rank(walked),
        "rank_shared": _rank(shared),
        "rank_centroid": _rank(near),
        "rank_words": _rank(lengths),
        "before_it": (np.cumsum(lengths) - lengths) / max(1.0, lengths.sum()),
    }
    return np.stack([np.asarray(columns[name], dtype=np.float32) for name in FEATURES], axis=1)


def walk(alike: np.ndarray) -> np.ndarray:
    """How often each sentence (n,) is met by one who goes from sentence to sentence, to like ones rather; adds up to 1."""
    count = len(alike)
    out = alike.sum(axis=1, keepdims=True)
    steps = np.where(out > 1e-9, alike / np.maximum(out, 1e-9), 1.0 / count)
    met = np.full(count, 1.0 / count)
    for _ in range(PASSES):
        met = (1 - DAMPING) / count + DAMPING * (met @ steps)
    return np.asarray(met)


def _cut(text: str, most: int, clauses: bool) -> list[tuple[str, int]]:
    """(sentence, the number of its paragraph)."""
    found: list[tuple[str, int]] = []
    start, part = 0, 0
    for match in (_CLAUSE if clauses else _BREAK).finditer(text):
        if match["stop"] == "." and "\n" not in match["space"] and _shortened(text, match.start()):
            continue
        sentence = text[start : match.end()].strip()
        if sentence:
            found.append((" ".join(sentence.split()), part))
            if len(found) == most:
                return found
        start = match.end()
        part += match["blank"] is not None
    if text[start:].strip():
        found.append((" ".join(text[start:].split()), part))
    return found


def _shortened(text: str, stop: int) -> bool:
    """Whether the full stop belongs to an abbreviation or an initial."""
    word = _LAST_WORD.search(text, max(0, stop - 12), stop)
    return word is not None and (len(word[1]) == 1 or word[1].lower() in _SHORT)


def _in_words(words: _Words) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """By words that not every text has: (the walk over sentences that share some, as TextRank weighs it; how many each shares with the
    others; how near it is to all of them together), each (n,)."""
    table = words.counts[:, words.rarity >= COMMON]
    has = np.minimum(table, 1.0)
    common = has @ has.T
    np.fill_diagonal(common, 0.0)
    size = np.log1p(table.sum(axis=1))
    directions = _directions(np.log1p(table))
    return (
        walk(common / np.maximum(size[:, None] + size[None], 0.1)),
        common.sum(axis=1),
        _nearness(directions, directions.sum(axis=0)),
    )


def _directions(table: np.ndarray) -> np.ndarray:
    """Rows of length one, or zeros."""
    return np.asarray(table / np.maximum(np.linalg.norm(table, axis=1, keepdims=True), 1e-9))


def _nearness(directions: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The cosine (n,) of each row with the centre."""
    return np.asarray(directions @ centre / max(1e-9, float(np.linalg.norm(centre))))


def _rank(values: np.ndarray) -> np.ndarray:
    """The place of each among all (n,), 0 the least and 1 the most; equal ones share theirs."""
    if len(values) < 2:
        return np.ones(len(values))
    ordered = np.sort(values)
    low, high = np.searchsorted(ordered, values, side="left"), np.searchsorted(ordered, values, side="right")
    return np.asarray((low + high - 1) / 2 / (len(values) - 1))


def _share(sentence: str, test: Any) -> float:
    """The share of words that begin with such a letter, the first word left out."""
    words = sentence.split()[1:]
    return sum(test(word[0]) for word in words) / len(words) if words else 0.0


def long_enough(lengths: Sequence[int], share: float, most: int) -> int:
    """A length that so many of the sample keep, from 1 to `most`."""
    return max(1, min(int(np.quantile(lengths, share, method="higher")) if len(lengths) else 1, most))
