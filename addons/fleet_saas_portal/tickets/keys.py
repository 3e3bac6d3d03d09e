"""Ed25519 keys as short texts, and their public halves as JSON Web Keys (RFC 8037)."""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


def new_key() -> str:
    """Return a new private key: its 32 bytes, base64url without padding."""
    return _encode(Ed25519PrivateKey.generate().private_bytes_raw())


def read_key(text: str) -> Ed25519PrivateKey:
    """Return the private key that `new_key` has given as ``text``.

    :raises ValueError: it is none
    """
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    return Ed25519PrivateKey.from_private_bytes(raw)


def public_key(text: str) -> dict[str, str]:
    """Return the public half of ``text`` as JWK; its ``kid`` begins the SHA-256 of the key."""
    raw = read_key(text).public_key().public_bytes_raw()
    return {"kty": "OKP", "crv": "Ed25519", "kid": _key_id(raw), "x": _encode(raw)}


def _key_id(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()[:16]


def _encode(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
