"""Texts: sentences, notes, reviews, as a column of a table.

A text becomes the numbers of its n-grams: words and pairs of words, and for scripts without spaces one to three characters.
An n-gram's number is a fixed hash of it (Weinberger et al. 2009), so there is no vocabulary to keep and nothing of a train text
lies in a model. What the numbers mean is learned behind. Does not stem, and knows no language.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from salus.core.errors import SalusError
from salus.data.kinds.base import Arrays, Kind, State, Values

BUCKETS = 2**18  # of 67,349 sentences: 0.837 right on others with a linear model, 0.781 with 2**15
MAX_GRAMS = 256  # different n-grams of one text that are looked at: single ones first, then pairs
MAX_CHARACTERS = 20_000  # of one text; the rest is not looked at
GRAMS_SHARE = 0.99  # so many of the train texts keep all their n-grams
LOOKED_AT = 5000  # train texts, to know how long they are
MOST_CELLS = 2**26  # n-grams of all train rows together: 512 MiB; many rows have fewer each
_NO_SPACES = "぀-ヿ㐀-䶿一-鿿豈-﫿\U00020000-\U0003ffff"
_TOKEN = re.compile(f"[{_NO_SPACES}]|[^\\W{_NO_SPACES}]+(?:['’][^\\W{_NO_SPACES}]+)?|[^\\w\\s]")
_CHARACTER = re.compile(f"[{_NO_SPACES}]")
_PAIR, _TRIPLE = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)  # odd: no bit is lost
_SHIFT = np.uint64(29)


class Text(Kind):
    name = "text"

    def recognise(self, values: Sequence[Any]) -> float:
        present = [value for value in values if value is not None and value != ""]
        if not present or not all(isinstance(value, str) for value in present):
            return 0.0
        words = np.array([_words(value) for value in present])
        distinct = len(set(present)) / len(present)
        several = float(np.mean(words >= 2)) > 0.5
        long = float(words.mean())
        diverse = (long >= 3 and distinct > 0.5) or (long >= 8 and distinct > 0.1)
        return 0.85 if several and diverse else 0.0

    def read(self, raw: Any, where: str) -> Any:
        if raw is None:
            return None
        if not isinstance(raw, str):
            raise SalusError("not_a_text", where=where, found=f"{type(raw).__name__} {raw!r}"[:80])
        return raw

    def fit(self, values: Values, options: Mapping[str, Any]) -> State:
        present = [value for value in values if value is not None]
        sample = present[:: max(1, len(present) // LOOKED_AT)]
        grams = [len(gram_ids(value, BUCKETS, MAX_GRAMS)) for value in sample]
        most = int(np.quantile(grams, GRAMS_SHARE, method="higher")) if grams else 1
        spaces = sum(_CHARACTER.search(value) is None for value in sample) * 2 >= len(sample)
        return {"buckets": BUCKETS, "grams": max(1, min(most, MOST_CELLS // max(1, len(values)))), "spaces": spaces}

    def encode(self, values: Values, state: State) -> Arrays:
        ids_BL = np.zeros((len(values), state["grams"]), dtype=np.int64)
        for row, value in enumerate(values):
            if value is not None:
                ids = gram_ids(value, state["buckets"], state["grams"])
                ids_BL[row, : len(ids)] = ids
        return {"ids": ids_BL}

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        longest = max(arrays["ids"].shape[1] for arrays in encoded.values())
        columns = [np.pad(a["ids"], ((0, 0), (0, longest - a["ids"].shape[1]))) for a in encoded.values()]
        return {"texts": np.stack(columns, axis=1)}

    def json_schema(self, state: State) -> dict[str, Any]:
        return {"type": ["string", "null"], "description": f"a text; {MAX_CHARACTERS} characters of it are read"}

    def synthetic(self, state: State, count: int, generator: np.random.Generator) -> list[Any]:
        values: list[Any] = []
        first, last = (0x61, 0x7B) if state["spaces"] else (0x4E00, 0x9FA5)
        for row in range(count):
            letters = [chr(code) for code in generator.integers(first, last, 6 * (1 + row % 12))]
            words = ["".join(letters[at : at + 1 + at % 6]) for at in range(0, len(letters), 6)]
            values.append((" " if state["spaces"] else "").join(words))
        for row in range(7, count, 10):
            values[row] = None
        for row in range(3, count, 20):
            values[row] = " 🙂\u0000!" * 30 if row % 40 == 3 else ""
        return values


def gram_ids(text: str, buckets: int, most: int) -> np.ndarray:
    """The different n-grams of a text as numbers from 1 to `buckets`, at most `most`, int64: single ones first."""
    tokens = _TOKEN.findall(unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).lower())
    if not tokens:
        return np.zeros(0, dtype=np.int64)
    single = np.array([zlib.crc32(token.encode("utf-8", "surrogatepass")) for token in tokens], dtype=np.uint64)
    hashes = [single]
    if len(tokens) > 1:
        pair = _mixed(single[:-1] * _PAIR + single[1:])
        hashes.append(pair)
        character = np.array([len(token) == 1 and _CHARACTER.match(token) is not None for token in tokens])
        triples = character[:-2] & character[1:-1] & character[2:]
        if triples.any():
            hashes.append(_mixed(pair[:-1] * _TRIPLE + single[2:])[triples])
    ids = (np.concatenate(hashes) % np.uint64(buckets)).astype(np.int64) + 1
    _, first = np.unique(ids, return_index=True)
    different: np.ndarray = ids[np.sort(first)[:most]]
    return different


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """High bits brought down, so that the remainder sees them all."""
    half = (hashes ^ (hashes >> _SHIFT)) * _PAIR
    mixed: np.ndarray = half ^ (half >> _SHIFT)
    return mixed


def _words(text: str) -> float:
    """Words of a text; two characters of a script without spaces count as one."""
    head = text[:2000]
    characters = len(_CHARACTER.findall(head))
    return len(head.split()) + characters / 2 if characters else float(len(head.split()))
