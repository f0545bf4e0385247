"""A bundle is written whole, opened only when every byte is the one that was written, and trusted by its signature."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from salus.bundle.read import Bundle, open_bundle, open_folder
from salus.bundle.sign import Signer
from salus.core.errors import SalusError
from salus.core.wire import canonical
from salus.testing.bundles import SmallModel, table_model

REFUSALS = {"bundle_damaged", "bundle_newer", "graph_refused"}


@pytest.fixture(scope="module")
def model() -> SmallModel:
    return table_model(examples=6)


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    return Signer.create(tmp_path / "signing.pem")


@pytest.fixture
def bundle(model: SmallModel, signer: Signer, tmp_path: Path) -> Bundle:
    return model.write(tmp_path / "bundle", signer, assets={"words.json": b"[]"})


def code_of(folder: Path, trusted: list[str] | None = None) -> str:
    with pytest.raises(SalusError) as caught:
        open_folder(folder, trusted)
    assert caught.value.text("zh")
    return caught.value.code


def test_what_was_written_is_read(bundle: Bundle, model: SmallModel, signer: Signer, tmp_path: Path) -> None:
    opened = open_folder(tmp_path / "bundle", trusted=[signer.public_key])
    assert opened.manifest == bundle.manifest
    assert opened.manifest.schema == model.schema
    assert opened.graph_bytes() == model.graph
    assert opened.asset("words.json") == b"[]"
    assert opened.examples()["rows"] == model.rows
    assert opened.report()["task"] == model.task
    assert opened.text("card.md") == "# A small model\n"
    assert opened.signed_by == signer.public_key
    assert opened.facts["main"].outputs == ["probabilities", "scores"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bundle", "signing.pem"]


def test_blobs_under_other_names_open_too(bundle: Bundle, tmp_path: Path) -> None:
    files = {}
    blobs = tmp_path / "blobs"
    blobs.mkdir()
    folder = tmp_path / "bundle"
    for number, path in enumerate(sorted(p for p in folder.rglob("*") if p.is_file())):
        files[path.relative_to(folder).as_posix()] = Path(shutil.copy(path, blobs / str(number)))
    assert open_bundle(files).bundle_hash == bundle.bundle_hash


def test_every_byte_region_of_every_file_is_guarded(bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        content = path.read_bytes()
        step = max(1, len(content) // 40)
        for position in [*range(0, len(content), step), len(content) - 1]:
            flipped = bytearray(content)
            flipped[position] ^= 0x20
            path.write_bytes(bytes(flipped))
            assert code_of(folder) in REFUSALS, f"{path.name} at {position}"
        path.write_bytes(content[:-1])
        assert code_of(folder) in REFUSALS
        path.write_bytes(content + b"\n")
        assert code_of(folder) in REFUSALS
        path.write_bytes(content)
    open_folder(folder)


def test_a_missing_file_is_told(bundle: Bundle, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    for path in sorted(p for p in folder.rglob("*") if p.is_file() and p.name != "signature.json"):
        moved = path.rename(tmp_path / "away")
        assert code_of(folder) == "bundle_damaged"
        moved.rename(path)


def test_one_file_too_many_is_told(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "bundle" / "graphs" / "more.onnx").write_bytes(bundle.graph_bytes())
    assert code_of(tmp_path / "bundle") == "bundle_damaged"


def test_links_are_refused(bundle: Bundle, tmp_path: Path) -> None:
    card = tmp_path / "bundle" / "card.md"
    card.rename(tmp_path / "card.md")
    card.symlink_to(tmp_path / "card.md")
    assert code_of(tmp_path / "bundle") == "bundle_damaged"


def test_a_file_changed_after_opening_is_not_used(bundle: Bundle, tmp_path: Path) -> None:
    graph = tmp_path / "bundle" / "graphs" / "main.onnx"
    graph.write_bytes(table_model(examples=1, numbers=3, levels=9).graph)
    with pytest.raises(SalusError) as caught:
        bundle.graph_bytes()
    assert caught.value.code == "bundle_damaged"


def test_signatures_decide_whom_to_trust(model: SmallModel, signer: Signer, tmp_path: Path) -> None:
    stranger = Signer.create(tmp_path / "stranger.pem")
    model.write(tmp_path / "plain")
    model.write(tmp_path / "foreign", stranger)
    assert open_folder(tmp_path / "plain").signed_by is None
    assert code_of(tmp_path / "plain", [signer.public_key]) == "bundle_unsigned"
    assert code_of(tmp_path / "foreign", [signer.public_key]) == "bundle_foreign"
    assert code_of(tmp_path / "foreign", []) == "bundle_foreign"
    assert open_folder(tmp_path / "foreign", [signer.public_key, stranger.public_key]).signed_by == stranger.public_key


def test_a_signature_of_another_bundle_does_not_fit(model: SmallModel, signer: Signer, tmp_path: Path) -> None:
    model.write(tmp_path / "one", signer)
    model.write(tmp_path / "two", signer, card="another")
    shutil.copy(tmp_path / "one" / "signature.json", tmp_path / "two" / "signature.json")
    assert code_of(tmp_path / "two") == "bundle_damaged"


def test_a_stranger_cannot_name_somebody_elses_key(model: SmallModel, signer: Signer, tmp_path: Path) -> None:
    stranger = Signer.create(tmp_path / "stranger.pem")
    model.write(tmp_path / "bundle", stranger)
    path = tmp_path / "bundle" / "signature.json"
    signature = json.loads(path.read_bytes())
    path.write_bytes(canonical({**signature, "key": signer.public_key, "key_id": signer.key_id}))
    assert code_of(tmp_path / "bundle", [signer.public_key]) == "bundle_damaged"


def test_the_model_hash_names_what_answers(model: SmallModel, signer: Signer, tmp_path: Path) -> None:
    first = model.write(tmp_path / "1", signer)
    same = model.write(tmp_path / "2", None, card="other words", report={"other": True}, lineage={"seed": 7})
    other = model.write(tmp_path / "3", None, calibration={"temperature": 2.0})
    assert same.manifest.model_hash == first.manifest.model_hash
    assert same.bundle_hash != first.bundle_hash
    assert other.manifest.model_hash != first.manifest.model_hash


def test_nothing_is_written_over(model: SmallModel, bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(SalusError) as caught:
        model.write(tmp_path / "bundle")
    assert caught.value.code == "bundle_exists"


def test_a_failed_write_leaves_nothing(model: SmallModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(temporary: Path, final: Path) -> None:
        raise OSError(28, "no space left")

    monkeypatch.setattr("salus.bundle.write.publish_folder", full)
    with pytest.raises(OSError, match="no space"):
        model.write(tmp_path / "bundle")
    assert list(tmp_path.iterdir()) == []


def test_a_graph_without_the_promised_output_is_not_packed(model: SmallModel, tmp_path: Path) -> None:
    with pytest.raises(SalusError) as caught:
        model.write(tmp_path / "bundle", outputs=("values",))
    assert caught.value.code == "graph_refused" and not (tmp_path / "bundle").exists()


def test_a_graph_against_the_rules_is_not_packed(model: SmallModel, tmp_path: Path) -> None:
    with pytest.raises(SalusError) as caught:
        model.write(tmp_path / "bundle", graphs={"main": model.graph, "step": b"no graph"})
    assert caught.value.code == "graph_refused" and not (tmp_path / "bundle").exists()
