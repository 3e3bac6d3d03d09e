"""RSA keys as PEM texts, their public halves as JSON Web Keys, and the ID tokens they sign.

RS256 is what every relying party has to understand (OpenID Connect Core 1.0, 15.1).
"""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ALGORITHM = "RS256"
KEY_BITS = 2048


def new_key() -> str:
    """Return a new private key as PEM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


def public_key(pem: str) -> dict[str, str]:
    """Return the public half as JWK; its ``kid`` begins the SHA-256 of the modulus."""
    private = serialization.load_pem_private_key(pem.encode(), None)
    full = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    kid = hashlib.sha256(full["n"].encode()).hexdigest()[:16]
    return {
        "kty": "RSA",
        "use": "sig",
        "alg": ALGORITHM,
        "kid": kid,
        "n": full["n"],
        "e": full["e"],
    }


def sign(pem: str, kid: str, claims: dict[str, Any], access_token: str) -> str:
    """Return the ID token with these claims, bound to its access token by ``at_hash``."""
    half = hashlib.sha256(access_token.encode()).digest()[:16]
    claims = {**claims, "at_hash": base64.urlsafe_b64encode(half).rstrip(b"=").decode()}
    return jwt.encode(claims, pem, algorithm=ALGORITHM, headers={"kid": kid})
