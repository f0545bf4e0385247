"""Pieces of texts: any text can be written and read back; the same texts teach the same pieces; nothing in a text is a command."""

from __future__ import annotations

import json
import subprocess
import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.data.pieces import END, SPECIAL, UNKNOWN, Pieces, pieces_of, train_pieces

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "Die Katze schläft auf dem Sofa, die Katze schläft.",
    "我们今天去公园，今天天气很好。",
    "the dog sleeps and the fox sleeps",
    "今天天气不好，我们不去公园。",
] * 3
STATE = train_pieces(TEXTS, 420)


def test_frequent_words_become_pieces_of_their_own() -> None:
    pieces = Pieces(STATE)
    assert pieces.size <= 420
    assert len(pieces.encode("the dog")) < len("the dog")
    assert len(pieces.encode("今天天气")) < 4 + 2, "runs without spaces are joined too"


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=60))
def test_every_text_is_read_back(text: str) -> None:
    sound = text.encode("utf-8", "replace").decode("utf-8")
    ids = Pieces(STATE).encode(text)
    assert all(piece > END for piece in ids), "no text writes a special piece"
    assert Pieces(STATE).decode(ids) == unicodedata.normalize("NFC", sound).replace("▁", " ")


def test_names_of_special_pieces_are_letters_in_a_text() -> None:
    pieces = Pieces(STATE)
    for name in (*SPECIAL, "<0x41>"):
        assert pieces.decode(pieces.encode(name)) == name
    assert pieces.decode([0, 2, *pieces.encode("fox"), 3, 10**6]) == "fox"


def test_folded_texts_share_their_pieces() -> None:
    pieces = Pieces(train_pieces(TEXTS, 420, fold=True))
    assert pieces.encode("ＴＨＥ Dog") == pieces.encode("the dog")
    assert Pieces(STATE).encode("THE") != Pieces(STATE).encode("the")


def test_the_same_texts_teach_the_same_pieces_in_any_process() -> None:
    lesson = f"import json; from salus.data.pieces import train_pieces; print(json.dumps(train_pieces({TEXTS!r}, 420)))"
    done = subprocess.run([sys.executable, "-c", lesson], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == STATE


def test_characters() -> None:
    pieces = Pieces(train_pieces(["to be\nor not to be", "漢"], 100, "character"))
    assert pieces.size == len(SPECIAL) + len(set("to be\nor not to be漢"))
    ids = pieces.encode("be  not\n")
    assert len(ids) == 8
    assert pieces.decode(ids) == "be  not\n"
    assert pieces.encode("x") == [UNKNOWN]
    assert Pieces(train_pieces(["aaabbc"], 6, "character")).encode("abc") == [4, 5, UNKNOWN], (
        "the most frequent ones stay"
    )


@pytest.mark.parametrize("text", ["", " ", "\x00\x01", "🙂" * 50, "a" * 100_000])
def test_strange_texts(text: str) -> None:
    pieces = Pieces(STATE)
    assert pieces.decode(pieces.encode(text)) == text


def test_the_same_state_is_made_ready_once() -> None:
    assert pieces_of(STATE) is pieces_of(STATE)
    other = json.loads(json.dumps(STATE))
    assert pieces_of(other) is not pieces_of(STATE)
    assert pieces_of(other).encode("fox") == pieces_of(STATE).encode("fox")
