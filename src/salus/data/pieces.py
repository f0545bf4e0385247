"""Texts as numbers of pieces: characters, or the parts of words that a text is written with most shortly.

Byte-pair encoding (Sennrich et al. 2016) over characters: what is frequent together becomes one piece. Words of scripts with spaces keep
the space before them; runs of scripts without spaces, digits and marks stand by themselves. A character that was never seen is
written as its bytes, so that every text can be written and read back. What is learned is the JSON of the library
`tokenizers`; it is the same for the same texts. Knows no kind, no model and no language.
"""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

PAD, UNKNOWN, START, END = range(4)
SPECIAL = ("<pad>", "<unk>", "<s>", "</s>")  # names alone: a text that holds them is read as its letters
BYTES = tuple(f"<0x{byte:02X}>" for byte in range(256))
SPACE = "▁"
MOST_LEARNED = 5_000_000  # characters that pieces are joined by; single ones are counted in all
LONGEST_PIECE = 16  # characters
ALPHABET_SHARE = 0.6  # of the pieces may be single characters
WITHOUT_SPACES = "぀-ヿ㐀-䶿一-鿿豈-﫿\U00020000-\U0003ffff"  # of a class of characters: kana, Chinese
SPLIT = f"[{WITHOUT_SPACES}]+|[[\\p{{P}}\\p{{S}}]&&[^{SPACE}]]|\\p{{N}}|[\\r\\n]"
_CACHED = 16
_cache: dict[int, tuple[dict[str, Any], Pieces]] = {}


def train_pieces(
    texts: Iterable[str], size: int, unit: Literal["bpe", "character"] = "bpe", *, fold: bool = False
) -> dict[str, Any]:
    """At most `size` pieces, the first four of which are PAD, UNKNOWN, START and END, as JSON of the library `tokenizers`.

    fold: look-alikes and capital letters are read as one (NFKC, lower case), for texts that are only read; else what
    is decoded is the text again, in Unicode's composed form. unit "character" has no bytes: what was never seen is UNKNOWN.
    """
    if unit == "character":
        kept = _alphabet(texts, size - len(SPECIAL), 1, fold)
        return _json({piece: at for at, piece in enumerate([*SPECIAL, *kept])}, [], unit, fold)
    assert size > len(SPECIAL) + len(BYTES), "there must be room for the bytes"
    sample = list(_bounded(texts))
    room = size - len(SPECIAL) - len(BYTES)
    alphabet = sorted({*_alphabet(sample, max(1, int(ALPHABET_SHARE * room)), 2, fold), SPACE} - {" "})
    pieces, merges = _merged(sample, alphabet, room, fold)
    vocabulary = [*SPECIAL, *BYTES, *pieces]
    return _json({piece: at for at, piece in enumerate(vocabulary)}, merges, unit, fold)


class Pieces:
    """Reads and writes texts with what `train_pieces` gave. No text is refused, none is cut."""

    def __init__(self, state: dict[str, Any]) -> None:
        from tokenizers import Tokenizer

        self._tokenizer = Tokenizer.from_str(json.dumps(state))
        self._tokenizer.encode_special_tokens = True  # their names in a text are letters
        self._framed = state.get("post_processor") is not None  # those of a network that was trained elsewhere
        self.size: int = self._tokenizer.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """The pieces of a text, without START and END; with what a foreign tokenizer puts around them."""
        ids: list[int] = self._tokenizer.encode(_sound(text), add_special_tokens=self._framed).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        """The text of pieces; special ones and unknown numbers are left out."""
        text: str = self._tokenizer.decode([int(piece) for piece in ids if piece > END], skip_special_tokens=False)
        return text


def pieces_of(state: dict[str, Any]) -> Pieces:
    """The same as `Pieces(state)`, made once for the same object: for those who ask at every request."""
    kept = _cache.get(id(state))
    if kept is None or kept[0] is not state:  # a number may be that of an object that is gone
        kept = (state, Pieces(state))
        while len(_cache) >= _CACHED:
            _cache.pop(next(iter(_cache)), None)
        _cache[id(state)] = kept
    return kept[1]


def _sound(text: str) -> str:
    """Without halves of surrogate pairs, which no encoding can write."""
    return text.encode("utf-8", "replace").decode("utf-8") if not text.isascii() else text


def _bounded(texts: Iterable[str]) -> Iterator[str]:
    """The first texts, as many as are learned of."""
    left = MOST_LEARNED
    for text in texts:
        if left <= 0:
            return
        yield _sound(text[:left])
        left -= len(text)


def _alphabet(texts: Iterable[str], most: int, fewest_times: int, fold: bool) -> list[str]:
    """The most frequent characters as they are after folding, the most frequent first, of equal ones the smaller code."""
    counts: Counter[str] = Counter()
    for text in texts:
        text = _sound(text)
        read = unicodedata.normalize("NFKC", text).lower() if fold else unicodedata.normalize("NFC", text)
        counts.update(read)
    often = [(character, count) for character, count in counts.items() if count >= fewest_times]
    return [character for character, _ in sorted(often, key=lambda pair: (-pair[1], pair[0]))[: max(0, most)]]


def _merged(
    texts: Sequence[str], alphabet: Sequence[str], room: int, fold: bool
) -> tuple[list[str], list[tuple[str, str]]]:
    """The pieces, single characters first, and the pairs that are joined, in their order."""
    from tokenizers import Tokenizer, trainers

    empty: dict[str, Any] = {"type": "BPE", "unk_token": None, "vocab": {}, "merges": []}
    tokenizer = Tokenizer.from_str(json.dumps({"version": "1.0", "model": empty, **_reading("bpe", fold)}))
    trainer = trainers.BpeTrainer(
        vocab_size=room,
        min_frequency=2,
        show_progress=False,
        special_tokens=[],
        initial_alphabet=list(alphabet),
        limit_alphabet=len(alphabet),  # so that which ones are kept never hangs on the order of a hash
        max_token_length=LONGEST_PIECE,
    )
    tokenizer.train_from_iterator(texts, trainer)
    model = json.loads(tokenizer.to_str())["model"]
    pieces = sorted(model["vocab"], key=lambda piece: int(model["vocab"][piece]))
    return pieces, [(first, second) for first, second in model["merges"]]


def _reading(unit: str, fold: bool) -> dict[str, Any]:
    """How a text becomes the words that pieces are made of, and back again."""
    forms: list[dict[str, Any]] = [{"type": "NFKC"}, {"type": "Lowercase"}] if fold else [{"type": "NFC"}]
    spaces = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "never", "split": True}
    parts = {"type": "Split", "pattern": {"Regex": SPLIT}, "behavior": "Isolated", "invert": False}
    written: list[dict[str, Any]] = [
        {"type": "Replace", "pattern": {"String": SPACE}, "content": " "},
        {"type": "ByteFallback"},
        {"type": "Fuse"},
        {"type": "Strip", "content": " ", "start": 1, "stop": 0},
    ]
    characters = unit == "character"
    if not characters:
        forms.append({"type": "Prepend", "prepend": SPACE})
    return {
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Sequence", "normalizers": forms},
        "pre_tokenizer": None if characters else {"type": "Sequence", "pretokenizers": [spaces, parts]},
        "post_processor": None,
        "decoder": {"type": "Fuse"} if characters else {"type": "Sequence", "decoders": written},
    }


def _json(vocabulary: dict[str, int], merges: Sequence[tuple[str, str]], unit: str, fold: bool) -> dict[str, Any]:
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": SPECIAL[UNKNOWN],
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": unit != "character",
        "ignore_merges": False,
        "vocab": vocabulary,
        "merges": [list(pair) for pair in merges],
    }
    return {"version": "1.0", **_reading(unit, fold), "model": model}
