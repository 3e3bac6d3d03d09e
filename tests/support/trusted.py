"""A hosting server and a portal with keys of their own, for databases that carry the client addon."""

from __future__ import annotations

import base64
import json
import secrets
import time
from pathlib import Path
from typing import Any

import psycopg2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

DATABASE = "d0c0ffee-0000-4000-8000-000000000001"
PORTAL = "90b7a100-0000-4000-8000-000000000002"
PORTAL_URL = "https://portal.example.com"


def _encode(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


class Signer:
    """Who holds a private key."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._key = Ed25519PrivateKey.generate()

    @property
    def public(self) -> dict[str, str]:
        """Return the public key as a JWK."""
        x = _encode(self._key.public_key().public_bytes_raw())
        return {"kty": "OKP", "crv": "Ed25519", "kid": self.name, "x": x}

    def sign(self, payload: dict[str, Any], typ: str) -> str:
        """Return a compact JWS."""
        header = {"alg": "EdDSA", "kid": self.name, "typ": typ}
        text = ".".join(_encode(json.dumps(part).encode()) for part in (header, payload))
        return f"{text}.{_encode(self._key.sign(text.encode()))}"


class Provider:
    """Signs documents and tickets, and stores documents as a hosting server does: by SQL."""

    def __init__(self, folder: Path) -> None:
        self.server, self.portal = Signer("server-1"), Signer("portal-1")
        self.anchor = folder / "trust.json"
        self.anchor.write_text(json.dumps({"keys": [self.server.public]}))

    def store(self, database: str, **content: Any) -> None:
        """Sign a document and store it in the database of this name."""
        portal = {
            "url": PORTAL_URL,
            "iss": PORTAL,
            "keys": [self.portal.public],
            "upgrade": f"/my/databases/{DATABASE}",
            "name": "Good Hosting",
        }
        payload = {
            "iss": "server",
            "aud": DATABASE,
            "iat": int(time.time()),
            "seq": 1,
            "plan": "Starter",
            "portal": portal,
        } | content
        token = self.server.sign(payload, "fleet-document+jwt")
        self.query(
            database,
            "INSERT INTO fleet_document (id, token) VALUES (1, %s) "
            "ON CONFLICT (id) DO UPDATE SET token = excluded.token",
            token,
        )

    def ticket(self, login: str = "admin", **claims: Any) -> str:
        """Return a ticket that lets ``login`` in."""
        now = int(time.time())
        payload = {
            "iss": PORTAL,
            "aud": DATABASE,
            "sub": login,
            "jti": secrets.token_urlsafe(24),
            "iat": now,
            "exp": now + 60,
            "redirect": "/odoo",
        } | claims
        return self.portal.sign(payload, "fleet-ticket+jwt")

    def query(self, database: str, text: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement in a database and commit; return its rows."""
        connection = psycopg2.connect(dbname=database)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(text, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()
