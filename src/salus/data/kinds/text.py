"""Texts: sentences, notes, reviews, alone or as a column of a table.

A text becomes the numbers of its n-grams: one to three words, and for scripts without spaces one to three characters.
An n-gram's number is a fixed hash of it (Weinberger et al. 2009), so there is no vocabulary to keep and nothing of a train text
lies in a model. What the numbers mean is learned behind. For networks, where the option `pieces` asks for it, it also becomes its
pieces in their order (see `salus.data.pieces`), which are learned from the train texts and travel with the model. Does not stem,
and knows no language.
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
from salus.data.pieces import UNKNOWN, WITHOUT_SPACES, Pieces, pieces_of, train_pieces
from salus.data.sentences import encode_sentences, fit_sentences, long_enough

BUCKETS = (
    2**20
)  # of 67,349 sentences with 195,000 n-grams one in six shares its number with another one, with 2**18 one in two
MAX_GRAMS = 2048  # different n-grams of one text that are looked at: single ones first, then pairs, then triples
MAX_CHARACTERS = 20_000  # of one text; the rest is not looked at
MAX_PIECES = 256  # of one text
GRAMS_SHARE = 0.99  # so many of the train texts keep all their n-grams
PIECES_SHARE = 0.98  # and all their pieces
LOOKED_AT = 1500  # train texts, to know how long they are
MOST_CELLS = 2**26  # n-grams of all train rows together: 256 MiB; many rows have fewer each
_TOKEN = re.compile(f"[{WITHOUT_SPACES}]|[^\\W{WITHOUT_SPACES}]+(?:['’][^\\W{WITHOUT_SPACES}]+)?|[^\\w\\s]")
_CHARACTER = re.compile(f"[{WITHOUT_SPACES}]")
_PAIR, _TRIPLE = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xC2B2AE3D27D4EB4F)  # odd: no bit is lost
_SHIFT = np.uint64(29)


class Text(Kind):
    """Options: `grams` false for no n-grams; `pieces`: how many pieces are learned, 0 for none, or the JSON of a
    tokenizer that is used as it is; `fold` false for pieces that keep capital letters; `sentences` true for what shows of each
    sentence how much it says, "clauses" for what stands between commas (see `salus.data.sentences`)."""

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
        rows = max(1, len(values))
        most = MOST_CELLS // rows
        state: State = {"spaces": sum(_CHARACTER.search(value) is None for value in sample) * 2 >= len(sample)}
        if options.get("grams", True):
            lengths = [len(gram_ids(value, BUCKETS, MAX_GRAMS)) for value in sample]
            state |= {"buckets": BUCKETS, "grams": long_enough(lengths, GRAMS_SHARE, most)}
        if options.get("pieces", 0):
            learned = _pieces(present, options)
            lengths = [len(pieces_of(learned).encode(value[:MAX_CHARACTERS])) for value in sample]
            longest = long_enough(lengths, PIECES_SHARE, min(MAX_PIECES, most))
            state |= {"pieces": learned, "length": longest}
        if options.get("sentences", False):
            texts, clauses = [value[:MAX_CHARACTERS] for value in present], options["sentences"] == "clauses"
            state["sentences"] = fit_sentences(texts, gram_ids, most * rows, clauses)
        return state

    def needed(self, state: State, feeds: frozenset[str]) -> State:
        names = {"spaces"}
        names |= {"buckets", "grams"} if "texts" in feeds else set()
        names |= {"sentences"} if feeds & {"sentences", "sentence_grams"} else set()
        names |= {"pieces", "length", "keep"} if "pieces" in feeds else set()
        return {name: value for name, value in state.items() if name in names}

    def encode(self, values: Values, state: State) -> Arrays:
        arrays: Arrays = {}
        if "grams" in state:
            arrays["ids"] = np.zeros((len(values), state["grams"]), dtype=np.int32)
            for row, value in enumerate(values):
                if value is not None:
                    ids = gram_ids(value, state["buckets"], state["grams"])
                    arrays["ids"][row, : len(ids)] = ids
        if "pieces" in state:
            arrays["pieces"] = np.zeros((len(values), state["length"]), dtype=np.int32)
            pieces = pieces_of(state["pieces"])
            for row, value in enumerate(values):
                found = self._pieces(value, pieces, state) if value is not None else []
                arrays["pieces"][row, : len(found) or 1] = found or UNKNOWN  # a network reads at least one piece
        if "sentences" in state:
            texts = [(value or "")[:MAX_CHARACTERS] for value in values]
            arrays |= encode_sentences(texts, state["sentences"], gram_ids)
        return arrays

    def _pieces(self, value: str, pieces: Pieces, state: State) -> list[int]:
        """The first pieces of a text, or the last ones where the state says so."""
        if state.get("keep") == "last":
            return pieces.encode(value[-MAX_CHARACTERS:])[-state["length"] :]
        return pieces.encode(value[:MAX_CHARACTERS])[: state["length"]]

    def join(self, encoded: Mapping[str, Arrays], states: Mapping[str, State]) -> Arrays:
        feeds = {"ids": "texts", "pieces": "pieces"}
        columns = list(encoded.values())
        found = {feed: _side_by_side([c[name] for c in columns]) for name, feed in feeds.items() if name in columns[0]}
        # Sentences are picked from one text: the first column's.
        return found | {name: columns[0][name] for name in ("sentences", "sentence_grams") if name in columns[0]}

    def json_schema(self, state: State) -> dict[str, Any]:
        return {"type": ["string", "null"], "description": f"a text; {MAX_CHARACTERS} characters of it are read"}

    def synthetic(self, state: State, count: int, generator: np.random.Generator) -> list[Any]:
        values: list[Any] = []
        first, last = (0x61, 0x7B) if state["spaces"] else (0x4E00, 0x9FA5)
        for row in range(count):
            letters = [chr(code) for code in generator.integers(first, last, 6 * (1 + row % 12))]
            words = ["".join(letters[at : at + 1 + at % 6]) for at in range(0, len(letters), 6)]
            if known := state.get("words"):
                words = [known[place % len(known)] for place in range(row, row + 3 + row % 12)]
            values.append((" " if state["spaces"] else "").join(words))
        for row in range(7, count, 10):
            values[row] = None
        for row in range(3, count, 20):
            values[row] = " 🙂\u0000!" * 30 if row % 40 == 3 else ""
        return values


def gram_ids(text: str, buckets: int, most: int) -> np.ndarray:
    """The different n-grams of a text as numbers from 1 to `buckets`, at most `most`, int64: single ones first."""
    single = np.array([word for word, _ in words_of(text)], dtype=np.uint64)
    if not len(single):
        return np.zeros(0, dtype=np.int64)
    hashes = [single]
    if len(single) > 1:
        hashes.append(_mixed(single[:-1] * _PAIR + single[1:]))
    if len(single) > 2:
        hashes.append(_mixed(hashes[1][:-1] * _TRIPLE + single[2:]))
    ids = (np.concatenate(hashes) % np.uint64(buckets)).astype(np.int64) + 1
    _, first = np.unique(ids, return_index=True)
    different: np.ndarray = ids[np.sort(first)[:most]]
    return different


def words_of(text: str) -> list[tuple[int, str]]:
    """(hash, the word as it is read) of every word, mark, or character of a script without spaces, in their order."""
    read = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).lower()
    return [(zlib.crc32(word.encode("utf-8", "surrogatepass")), word) for word in _TOKEN.findall(read)]


def spans_of(text: str) -> list[tuple[int, int]]:
    """Where each word, mark, or character of a script without spaces begins and ends."""
    return [found.span() for found in _TOKEN.finditer(text[:MAX_CHARACTERS])]


def _mixed(hashes: np.ndarray) -> np.ndarray:
    """High bits brought down, so that the remainder sees them all."""
    half = (hashes ^ (hashes >> _SHIFT)) * _PAIR
    mixed: np.ndarray = half ^ (half >> _SHIFT)
    return mixed


def _pieces(texts: Sequence[str], options: Mapping[str, Any]) -> dict[str, Any]:
    """Learned from these texts, or as they are given."""
    if isinstance(options["pieces"], Mapping):
        return dict(options["pieces"])
    read = (text[:MAX_CHARACTERS] for text in texts)
    return train_pieces(read, int(options["pieces"]), fold=bool(options.get("fold", True)))


def _side_by_side(columns: Sequence[np.ndarray]) -> np.ndarray:
    """(B, columns, L) of columns (B, l), shorter ones filled with 0."""
    longest = max(column.shape[1] for column in columns)
    return np.stack([np.pad(column, ((0, 0), (0, longest - column.shape[1]))) for column in columns], axis=1)


def _words(text: str) -> float:
    """Words of a text; two characters of a script without spaces count as one."""
    head = text[:2000]
    characters = len(_CHARACTER.findall(head))
    return len(head.split()) + characters / 2 if characters else float(len(head.split()))
