"""A snapshot is believed only when this installation signed it, and one that fails a check changes nothing."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from serving_bundles import Home

from salus.bundle.sign import Signer
from salus.core.errors import SalusError
from salus.serving.snapshot import SnapshotStore, seal


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def store_of(home: Home) -> SnapshotStore:
    return SnapshotStore(home.path / "snapshot.json", home.path / "keys" / "signing.pem")


def test_what_is_kept_is_found_again_and_only_its_owner_reads_it(home: Home) -> None:
    store = store_of(home)
    assert store.recall() is None
    store.keep(home.snapshot(limits={"max_predict_rows": 7}))
    found = store.recall()
    assert found is not None and found.sequence == 1 and found.limits == {"max_predict_rows": 7}
    assert {key.project for key in found.keys} == {"one", "two"}
    assert stat.S_IMODE(store.path.stat().st_mode) == 0o600


def test_a_changed_word_is_refused(home: Home) -> None:
    sealed = json.loads(home.snapshot())
    sealed["snapshot"]["keys"][0]["scopes"] = ["owner", "everything"]
    with pytest.raises(SalusError) as refused:
        store_of(home).verify(json.dumps(sealed).encode())
    assert refused.value.code == "snapshot_refused"


def test_another_installation_is_refused(home: Home, tmp_path: Path) -> None:
    stranger = Signer.create(tmp_path / "stranger.pem")
    sealed = seal(json.loads(home.snapshot())["snapshot"], stranger)
    with pytest.raises(SalusError) as refused:
        store_of(home).verify(sealed)
    assert refused.value.code == "snapshot_refused"


def test_a_signature_for_another_purpose_is_refused(home: Home) -> None:
    from salus.core.wire import canonical

    content = json.loads(home.snapshot())["snapshot"]
    signature = home.signer.sign(canonical(content))  # as of a bundle
    with pytest.raises(SalusError):
        store_of(home).verify(json.dumps({"snapshot": content, "signature": signature}).encode())


@pytest.mark.parametrize(
    "changes",
    [
        {"format": 2},
        {"issued": "yesterday"},
        {"sequence": -1},
        {"keys": [{"id": "k", "hash": "short", "project": "one", "scopes": []}]},
        {"endpoints": [{"project": "one", "name": "../x", "model": "m", "version": 1, "files": {}}]},
        {"endpoints": [{"project": "one", "name": "x"}]},
    ],
)
def test_a_signed_snapshot_of_another_shape_is_refused(home: Home, changes: dict[str, Any]) -> None:
    with pytest.raises(SalusError) as refused:
        store_of(home).verify(home.snapshot(**changes))
    assert refused.value.code == "snapshot_refused"


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"snapshot": {}, "signature": 3}', b"\xff", b"[" * 5000])
def test_what_is_no_snapshot_is_refused(home: Home, document: bytes) -> None:
    with pytest.raises(SalusError) as refused:
        store_of(home).verify(document)
    assert refused.value.code in ("snapshot_refused", "bad_json")


def test_without_a_signing_key_nothing_is_believed(home: Home) -> None:
    document = home.snapshot()
    (home.path / "keys" / "signing.pem").unlink()
    with pytest.raises(SalusError) as refused:
        store_of(home).verify(document)
    assert refused.value.code == "bad_signing_key"
