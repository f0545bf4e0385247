"""Taking a large model in, as an action: who may, what is written, and that asking twice makes one version."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from salus.actions import models, snapshot
from salus.bundle.large import open_large
from salus.bundle.sign import Signer
from salus.core.errors import SalusError
from salus.store.idempotency import Once
from salus.testing.large import gguf
from salus.testing.records import RecordHome, record_home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[RecordHome]:
    with record_home(tmp_path / "records") as opened:
        (opened.records.settings.home / "keys").mkdir()
        Signer.create(opened.records.settings.home / "keys" / "signing.pem")
        yield opened


def test_a_version_is_made_once_and_its_files_are_whole_and_signed(home: RecordHome) -> None:
    asked = {"upload": home.upload(gguf(), name="small.gguf"), "source": "a test"}
    owner = home.principal()
    once = Once("key_one_owner/one", "same", "request")
    first = models.take_in(owner, home.records, "small", asked, once)
    assert models.take_in(owner, home.records, "small", asked, once) == first
    (version,) = models.find(owner, home.records, "small")["versions"]
    assert version["model_hash"] == first["model_hash"] and version["gate"]["passed"]
    from salus.actions import endpoints

    endpoints.put(owner, home.records, "small", {"model": "small", "version": 1}, timeout_s=0)
    (pushed,) = snapshot.build(home.records)["endpoints"]
    files = {name: Path(path) for name, path in pushed["files"].items()}
    signer = Signer.load(home.records.settings.home / "keys" / "signing.pem")
    large = open_large(files, signer.public_key)
    assert large.manifest.source == "a test" and large.manifest.licence == "mit"
    assert large.files["small.gguf"].read_bytes() == gguf()
    with pytest.raises(SalusError) as caught:
        models.report(owner, home.records, "small", 1)
    assert caught.value.code == "not_found"


def test_only_who_may_write_and_only_from_ones_own_upload(home: RecordHome) -> None:
    upload = home.upload(gguf(), name="small.gguf")
    for principal, code in (
        (home.principal(scope="read"), "forbidden"),
        (home.principal(scope="predict"), "forbidden"),
        (home.principal("two"), "not_found"),
    ):
        with pytest.raises(SalusError) as caught:
            models.take_in(principal, home.records, "small", {"upload": upload})
        assert caught.value.code == code


def test_nothing_is_written_for_a_file_that_is_refused(home: RecordHome) -> None:
    with pytest.raises(SalusError) as caught:
        models.take_in(home.principal(), home.records, "small", {"upload": home.upload(gguf()[:50], name="a.gguf")})
    assert caught.value.code == "gguf_invalid"
    assert models.every(home.principal(), home.records) == []
