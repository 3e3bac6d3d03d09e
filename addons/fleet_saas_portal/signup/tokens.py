"""Secrets that a visitor gets by mail; only their digests are stored."""

from __future__ import annotations

import hashlib
import secrets

CODE_DIGITS = 6


def new_token() -> str:
    """Return 256 random bits that fit into an address."""
    return secrets.token_urlsafe(32)


def new_code() -> str:
    """Return a code that a person can type."""
    return f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"


def digest(secret: str) -> str:
    """Return what is stored of a secret: its SHA-256, in hexadecimal digits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
