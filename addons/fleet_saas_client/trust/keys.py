"""Sets of public keys: RFC 7517 (JWK), Ed25519 only (RFC 8037)."""

from __future__ import annotations

import json
from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from jwt.algorithms import OKPAlgorithm
from jwt.exceptions import PyJWTError

from .errors import TrustError, sentences

sentences(bad_keys="A set of keys is refused: %(reason)s.")
Keys = Mapping[str, Ed25519PublicKey]


def read_keys(text: str) -> Keys:
    """Return the keys of a JWK set ``{"keys": […]}`` by their id.

    :raises TrustError: ``bad_keys``
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TrustError("bad_keys", reason="it is not JSON") from error
    if not isinstance(found, dict):
        raise TrustError("bad_keys", reason="it is no set")
    return parse_keys(found.get("keys"))


def parse_keys(values: object) -> Keys:
    """Return the keys of a list of JWKs by their id.

    Only ``{"kty": "OKP", "crv": "Ed25519", "kid": …, "x": …}`` counts: one kind of key leaves
    nothing to confuse. A private key where public ones belong is refused, not quietly used.

    :raises TrustError: ``bad_keys``
    """
    if not isinstance(values, list) or not values:
        raise TrustError("bad_keys", reason="it holds no key")
    keys = {}
    for value in values:
        name, key = _parse(value)
        if name in keys:
            raise TrustError("bad_keys", reason="two keys have one id")
        keys[name] = key
    return keys


def _parse(value: object) -> tuple[str, Ed25519PublicKey]:
    if not isinstance(value, dict):
        raise TrustError("bad_keys", reason="a key is no object")
    name = value.get("kid")
    if not isinstance(name, str) or not name:
        raise TrustError("bad_keys", reason="a key has no id")
    try:
        key = OKPAlgorithm.from_jwk(value)
    except (PyJWTError, ValueError, TypeError) as error:
        raise TrustError("bad_keys", reason="a key is damaged") from error
    if not isinstance(key, Ed25519PublicKey):
        raise TrustError("bad_keys", reason="a key is not a public one of Ed25519")
    return name, key
