"""From token numbers to text as they come: bytes are joined, and a letter is told when all its bytes are there.

Also holds back what may become a stop text. Knows vocabularies as GGUF and tokenizer.json have them. Does not know models.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Sequence

NORMAL, CONTROL, USER, BYTE = 1, 3, 4, 6  # sorts of tokens, as GGUF numbers them
SPACE = "\u2581"
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")


class Vocabulary:
    """bytes_of[n]: what token n stands for; nothing for tokens that only steer."""

    def __init__(self, tokens: Sequence[str], sorts: Sequence[int] | None, model: str):
        letters = {letter: byte for byte, letter in enumerate(byte_letters())} if model == "gpt2" else None
        kinds = sorts if sorts is not None and len(sorts) == len(tokens) else [NORMAL] * len(tokens)
        self.bytes_of = [_bytes(token, kind, letters) for token, kind in zip(tokens, kinds, strict=True)]

    def stream(self) -> Words:
        return Words(self)


class Words:
    """The text of one answer."""

    def __init__(self, vocabulary: Vocabulary):
        self._bytes_of = vocabulary.bytes_of
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def add(self, numbers: Sequence[int], last: bool = False) -> str:
        """The letters that these tokens complete. last: nothing follows, so what is incomplete becomes U+FFFD."""
        return self._decoder.decode(b"".join([self._bytes_of[number] for number in numbers]), last)


class Stops:
    """Ends a text before the first stop text; the end that may still become one is held back."""

    def __init__(self, texts: Sequence[str]):
        self._texts = [text for text in texts if text]
        self._longest = max((len(text) for text in self._texts), default=0)
        self._held = ""
        self.stopped = False

    def add(self, text: str, last: bool = False) -> str:
        """What may be told now."""
        if not self._texts:
            return text
        held = self._held + text
        at = min((place for stop in self._texts if (place := held.find(stop)) >= 0), default=-1)
        if at >= 0:
            self.stopped, self._held = True, ""
            return held[:at]
        keep = 0 if last else self._may_begin(held)
        told, self._held = (held, "") if not keep else (held[:-keep], held[-keep:])
        return told

    def _may_begin(self, text: str) -> int:
        """Letters at the end that are the beginning of a stop text; the most."""
        for count in range(min(self._longest - 1, len(text)), 0, -1):
            if any(stop.startswith(text[-count:]) for stop in self._texts):
                return count
        return 0


def byte_letters() -> list[str]:
    """The letter that byte-level vocabularies write for each byte (GPT-2, Radford et al. 2019): printable ones are themselves."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    letters = {byte: chr(byte) for byte in printable}
    others = [byte for byte in range(256) if byte not in letters]
    letters |= {byte: chr(256 + place) for place, byte in enumerate(others)}
    return [letters[byte] for byte in range(256)]


def _bytes(token: str, kind: int, letters: dict[str, int] | None) -> bytes:
    if kind == CONTROL:
        return b""
    if letters is not None:
        if kind == USER or any(letter not in letters for letter in token):
            return token.encode()
        return bytes([letters[letter] for letter in token])
    if match := _BYTE.fullmatch(token):
        return bytes([int(match[1], 16)])
    return token.replace(SPACE, " ").encode()
