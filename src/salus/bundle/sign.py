"""Ed25519 signatures: the key of this installation, and the check of what it signed.

Every signature is made for a purpose, which is part of what is signed: a signature of a snapshot can never stand for one of a bundle.
Knows keys and bytes. Does not know what the bytes mean.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from salus.core.durable import write_file
from salus.core.errors import SalusError
from salus.core.wire import canonical, digest

ALGORITHM = "ed25519"
BUNDLE = "bundle"
MAX_KEY_BYTES = 4096
_KEY = re.compile(r"[0-9a-f]{64}")
_SIGNATURE = re.compile(r"[0-9a-f]{128}")


@dataclass(frozen=True)
class Signer:
    """A private key that signs."""

    key: Ed25519PrivateKey

    @classmethod
    def create(cls, path: Path) -> Signer:
        """A new key, kept at `path` with mode 0600, which must not exist."""
        if path.exists():
            raise SalusError("bad_signing_key", where=path.name, found="a file that exists already")
        key = Ed25519PrivateKey.generate()
        write_file(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()), mode=0o600)
        return cls(key)

    @classmethod
    def load(cls, path: Path) -> Signer:
        """The key at `path`, or `bad_signing_key`: no file, another sort of key, or readable by others."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError as error:
            raise SalusError("bad_signing_key", where=path.name, found=os.strerror(error.errno or 0)) from None
        with os.fdopen(descriptor, "rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            if mode & 0o077:
                raise SalusError("bad_signing_key", where=path.name, found=f"the mode {mode:04o}")
            content = stream.read(MAX_KEY_BYTES)
        try:
            key = load_pem_private_key(content, password=None)
        except (ValueError, TypeError):
            raise SalusError("bad_signing_key", where=path.name, found="bytes that are no such key") from None
        if not isinstance(key, Ed25519PrivateKey):
            raise SalusError("bad_signing_key", where=path.name, found="another sort of key")
        return cls(key)

    @property
    def public_key(self) -> str:
        """The public half in hexadecimal."""
        return self.key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()

    @property
    def key_id(self) -> str:
        return key_id(self.public_key)

    def sign(self, message: bytes, purpose: str = BUNDLE) -> str:
        """The signature in hexadecimal."""
        return self.key.sign(_purposeful(message, purpose)).hex()

    def signature_file(self, message: bytes, purpose: str = BUNDLE) -> bytes:
        """signature.json of `message`."""
        return canonical(
            {
                "algorithm": ALGORITHM,
                "key": self.public_key,
                "key_id": self.key_id,
                "signature": self.sign(message, purpose),
            }
        )


def key_id(public_key: str) -> str:
    """A short name of a public key."""
    return digest(bytes.fromhex(public_key))[:16]


def is_signed(message: bytes, signature: str, public_key: str, purpose: str = BUNDLE) -> bool:
    """Whether the owner of `public_key` signed `message` for this purpose. Never raises for foreign text."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_key))
        key.verify(bytes.fromhex(signature), _purposeful(message, purpose))
    except (InvalidSignature, ValueError):
        return False
    return True


def signer_of(signature_file: Any, message: bytes, purpose: str = BUNDLE) -> str | None:
    """The public key that signed `message`, by the parsed signature.json; None when it says anything else than that."""
    names = {"algorithm", "key", "key_id", "signature"}
    if not isinstance(signature_file, dict) or signature_file.keys() != names:
        return None
    if not all(isinstance(value, str) for value in signature_file.values()) or signature_file["algorithm"] != ALGORITHM:
        return None
    public_key: str = signature_file["key"]
    if not (_KEY.fullmatch(public_key) and _SIGNATURE.fullmatch(signature_file["signature"])):
        return None  # one spelling for one signature
    if not is_signed(message, signature_file["signature"], public_key, purpose):
        return None
    return public_key if signature_file["key_id"] == key_id(public_key) else None


def _purposeful(message: bytes, purpose: str) -> bytes:
    return f"salus {purpose} 1\n".encode() + message
