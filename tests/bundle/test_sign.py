"""The signing key: kept from others, refused when it is not what it should be; signatures hold for one purpose only."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from salus.bundle.sign import Signer, is_signed, key_id, signer_of
from salus.core.errors import SalusError
from salus.core.wire import parse_json


def refused(path: Path) -> None:
    with pytest.raises(SalusError) as caught:
        Signer.load(path)
    assert caught.value.code == "bad_signing_key"
    assert str(path.parent) not in caught.value.text()


def test_a_key_is_kept_and_found_again(tmp_path: Path) -> None:
    path = tmp_path / "signing.pem"
    created = Signer.create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    loaded = Signer.load(path)
    assert loaded.public_key == created.public_key and len(loaded.public_key) == 64
    assert loaded.key_id == key_id(created.public_key)
    assert loaded.sign(b"x") == created.sign(b"x")


def test_a_key_is_never_written_over(tmp_path: Path) -> None:
    Signer.create(tmp_path / "signing.pem")
    with pytest.raises(SalusError) as caught:
        Signer.create(tmp_path / "signing.pem")
    assert caught.value.code == "bad_signing_key"


def test_a_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    Signer.create(tmp_path / "signing.pem")
    (tmp_path / "signing.pem").chmod(0o640)
    refused(tmp_path / "signing.pem")


def test_what_is_no_such_key_is_refused(tmp_path: Path) -> None:
    refused(tmp_path / "missing.pem")
    garbage, other, link = tmp_path / "garbage.pem", tmp_path / "other.pem", tmp_path / "link.pem"
    garbage.write_bytes(os.urandom(64))
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    other.write_bytes(pem)
    Signer.create(tmp_path / "signing.pem")
    link.symlink_to(tmp_path / "signing.pem")
    for path in (garbage, other):
        path.chmod(0o600)
        refused(path)
    refused(link)


def test_a_signature_holds_for_one_message_and_one_purpose(tmp_path: Path) -> None:
    signer = Signer.create(tmp_path / "signing.pem")
    signature = signer.sign(b"message", "snapshot")
    assert is_signed(b"message", signature, signer.public_key, "snapshot")
    assert not is_signed(b"message", signature, signer.public_key)
    assert not is_signed(b"massage", signature, signer.public_key, "snapshot")
    assert not is_signed(b"message", signature[:-2], signer.public_key, "snapshot")
    assert not is_signed(b"message", "no hex", signer.public_key, "snapshot")
    assert not is_signed(b"message", signature, "00" * 31, "snapshot")


def test_only_a_complete_signature_file_counts(tmp_path: Path) -> None:
    signer = Signer.create(tmp_path / "signing.pem")
    parsed = parse_json(signer.signature_file(b"m"), "signature")
    assert signer_of(parsed, b"m") == signer.public_key
    assert signer_of(parsed, b"n") is None
    for changed in (
        {"algorithm": "none"},
        {"key_id": "0" * 16},
        {"key": ""},
        {"signature": ""},
        {"more": "x"},
        {"key": 5},
    ):
        assert signer_of({**parsed, **changed}, b"m") is None
    for value in (None, [], "x", {}, {"key": parsed["key"]}):
        assert signer_of(value, b"m") is None
