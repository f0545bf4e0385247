"""Large models looked at from outside: what is whole is told apart, and what lies about itself is refused before anything loads."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from salus.bundle.gguf_file import read_gguf
from salus.bundle.large import FOLDER, LARGE, look, make_large, open_large, seal
from salus.bundle.safetensors_file import read_safetensors
from salus.bundle.sign import Signer
from salus.core.errors import SalusError
from salus.core.wire import file_digest
from salus.testing.large import FIELDS, files_of, gguf, llama_folder, safetensors

TWO = {"a": np.arange(6.0).reshape(2, 3), "b": np.ones(4)}


def refused(code: str, path: Path, content: bytes) -> str:
    path.write_bytes(content)
    with pytest.raises(SalusError) as caught:
        look({path.name: path})
    assert caught.value.code == code, caught.value
    return caught.value.detail()


def test_a_gguf_file_says_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "small.gguf"
    path.write_bytes(gguf())
    found = look({path.name: path})
    assert (found.form, found.answers, found.architecture, found.chat) == ("gguf", "text", "llama", True)
    assert (found.context_tokens, found.parameters, found.licence) == (64, 12, "mit")


def tensor(
    shape: tuple[int, ...] = (4, 3), kind: int = 0, offset: int = 0, content: bytes = bytes(48), name: str = "w"
) -> Any:
    return (name, shape, kind, offset, content)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (gguf()[:-1], "inside the file"),
        (gguf()[:40], "a file of 40 bytes"),
        (gguf(version=4), "version 4"),
        (gguf(version=0x03000000), "little-endian"),
        (gguf(tensor_count=2**40), "at most"),
        (gguf(tensor_count=2), "a named tensor"),
        (gguf(tensors=[tensor((2**33, 2**33))]), "whole blocks"),
        (gguf(tensors=[tensor((4, 0))]), "whole blocks"),
        (gguf(tensors=[tensor((4, 3000))]), "inside the file"),
        (gguf(tensors=[tensor(kind=99)]), "a known sort"),
        (gguf(tensors=[tensor((31, 1), kind=3)]), "whole blocks"),
        (gguf(tensors=[tensor(offset=8)]), "in steps of 32"),
        (gguf(tensors=[]), "names differ"),
        (gguf(tensors=[tensor(), tensor(offset=64)]), "names differ"),
        (gguf(tensors=[tensor(), tensor(offset=32, name="v")]), "before its end"),
        (gguf(fields={**FIELDS, "general.alignment": 0}), "alignment"),
        (gguf(fields={"general.architecture": "llama"}), "context_length"),
        (gguf(fields={**FIELDS, "llama.context_length": 0}), "context_length"),
        (gguf(fields={name: value for name, value in FIELDS.items() if "tokens" not in name}), "tokenizer.ggml.tokens"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q", 2**63) + b"x", "more bytes"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q1sIIQ", 1, b"x", 9, 4, 2**60), "room for"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + struct.pack("<Q1sIIQ", 1, b"x", 9, 9, 1), "a list of"),
    ],
)
def test_a_gguf_file_that_lies_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    assert said in refused("gguf_invalid", tmp_path / "bad.gguf", content)


@pytest.mark.parametrize("content", [b"\x80\x04\x95", b"PK\x03\x04", b"\x1f\x8b\x08", b"hello", b""])
def test_foreign_bytes_are_refused_whatever_they_are_called(tmp_path: Path, content: bytes) -> None:
    refused("model_format_refused", tmp_path / "model.safetensors", content)


@pytest.mark.parametrize(
    "name", ["pytorch_model.bin", "model.pt", "a/model.PTH", "weights.pkl", "x.h5", "onnx/model.onnx"]
)
def test_pickles_and_other_formats_are_refused(tmp_path: Path, name: str) -> None:
    folder = llama_folder(tmp_path / "model")
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"\x80\x04")
    with pytest.raises(SalusError) as caught:
        look(files_of(folder))
    assert caught.value.code == "model_format_refused"
    assert Path(name).name in caught.value.detail()


def test_a_folder_says_what_it_is(tmp_path: Path) -> None:
    found = look(files_of(llama_folder(tmp_path / "model")))
    assert (found.form, found.answers, found.architecture, found.chat) == ("folder", "text", "llama", True)
    assert (found.context_tokens, found.licence) == (128, "apache-2.0")


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json", "generation_config.json"])
def test_a_folder_that_names_code_is_refused(tmp_path: Path, file: str) -> None:
    folder = llama_folder(tmp_path / "model")
    path = folder / file
    said = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**said, "auto_map": {"AutoModel": "modeling.Mine"}}))
    with pytest.raises(SalusError) as caught:
        look(files_of(folder))
    assert caught.value.code == "model_code_refused"
    path.write_text(json.dumps(said))
    (folder / "modeling.py").write_text("print('hello')")
    with pytest.raises(SalusError) as caught:
        look(files_of(folder))
    assert caught.value.code == "model_code_refused"


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_half_copied_folder_is_refused(tmp_path: Path, missing: str) -> None:
    folder = llama_folder(tmp_path / "model")
    (folder / missing).unlink()
    with pytest.raises(SalusError) as caught:
        look(files_of(folder))
    assert caught.value.code == "model_incomplete"
    assert missing in caught.value.detail()


def test_every_part_that_an_index_names_must_be_there(tmp_path: Path) -> None:
    folder = llama_folder(tmp_path / "model")
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"model.norm.weight": "model-1.safetensors"}}))
    assert look(files_of(folder)).parameters > 1000
    for place, said in (("model-2.safetensors", "model-2"), ("model-1.safetensors", "not.there")):
        index.write_text(json.dumps({"weight_map": {"model.norm.weight": "model-1.safetensors", "not.there": place}}))
        with pytest.raises(SalusError, match=said) as caught:
            look(files_of(folder))
        assert caught.value.code == "model_incomplete"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (safetensors(TWO)[:-1], "a file of"),
        (safetensors(TWO) + b"x", "a file of"),
        (safetensors(TWO, b={"data_offsets": [8, 24]}), "b on a"),
        (safetensors(TWO, b={"data_offsets": [28, 44]}), "not right behind"),
        (safetensors(TWO, a={"shape": [2, 4]}), "32 bytes of a"),
        (safetensors(TWO, a={"shape": [2**40, 2**40]}), "bytes of a"),
        (safetensors(TWO, a={"shape": [-2, -3]}), "whole numbers"),
        (safetensors(TWO, a={"shape": [2, True]}), "whole numbers"),
        (safetensors(TWO, a={"dtype": "X9"}), "a known dtype"),
        (safetensors(TWO, a={"dtype": ["F32"]}), "a known dtype"),
        (safetensors(TWO, a={"more": 1}), "dtype, shape and data_offsets"),
        (struct.pack("<Q", 2**62) + b"{}", "inside the file"),
        (struct.pack("<Q", 5) + b'{"a":', "strict JSON"),
        (struct.pack("<Q", 2) + b"[]", "an object"),
        (struct.pack("<Q", 2) + b"{}", "1 to"),
        (b"\x00\x00", "a header"),
    ],
)
def test_safetensors_that_lie_are_refused(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(content)
    with pytest.raises(SalusError) as caught:
        read_safetensors(path, path.name)
    assert caught.value.code == "safetensors_invalid"
    assert said in caught.value.detail()


def test_safetensors_that_are_whole_are_read(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(safetensors(TWO))
    found = read_safetensors(path, path.name)
    assert {name: (tensor.shape, tensor.size) for name, tensor in found.items()} == {"a": ((2, 3), 24), "b": ((4,), 16)}
    values = np.fromfile(path, "<f4", 6, offset=found["a"].start)
    assert values.tolist() == [0, 1, 2, 3, 4, 5]


@given(place=st.integers(0, 500), byte=st.integers(0, 255), cut=st.integers(0, 400))
@settings(max_examples=200, deadline=None)
def test_no_change_of_a_header_does_anything_but_be_refused(
    tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("changed")
    for name, whole, read in (("a.gguf", gguf(), read_gguf), ("a.safetensors", safetensors(TWO), read_safetensors)):
        changed = bytearray(whole)
        changed[place % len(changed)] = byte
        path = folder / name
        path.write_bytes(bytes(changed[: len(changed) - cut % 3 * 7]))
        try:
            read(path, name)
        except SalusError as error:
            assert error.code in ("gguf_invalid", "safetensors_invalid")


def test_what_was_signed_is_opened_and_nothing_else(tmp_path: Path) -> None:
    signer = Signer.create(tmp_path / "signing.pem")
    model = tmp_path / "small.gguf"
    model.write_bytes(gguf())
    own = {model.name: model}
    manifest = make_large(own, {model.name: file_digest(model)}, look(own), "mit", "somewhere")
    files = {FOLDER + model.name: model}
    for name, content in seal(manifest, signer).items():
        files[name] = tmp_path / name
        files[name].write_bytes(content)
    assert open_large(files, signer.public_key).manifest == manifest
    other = Signer.create(tmp_path / "other.pem")
    for changed, code in (
        (files, "bundle_foreign"),
        ({name: path for name, path in files.items() if name != "signature.json"}, "bundle_unsigned"),
        ({**files, FOLDER + "more.json": model}, "bundle_damaged"),
    ):
        with pytest.raises(SalusError) as caught:
            open_large(changed, other.public_key if code == "bundle_foreign" else signer.public_key)
        assert caught.value.code == code
    model.write_bytes(gguf(fields={**FIELDS, "general.license": "gpl"}))
    with pytest.raises(SalusError, match="hash") as caught:
        open_large(files, signer.public_key)
    assert caught.value.code == "bundle_damaged"
    files[LARGE].write_bytes(files[LARGE].read_bytes().replace(b"mit", b"bsd"))
    with pytest.raises(SalusError, match="signature"):
        open_large(files, signer.public_key)
