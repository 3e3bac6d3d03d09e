"""A server and a portal with keys of their own, that sign as the real ones do."""

import base64
import json
import os
import secrets
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm

from odoo.tests import common

from ..exceptions import LimitReached

DATABASE = "d0c0ffee-0000-4000-8000-000000000001"
PORTAL = "90b7a100-0000-4000-8000-000000000002"
SERVER = "5e60e600-0000-4000-8000-000000000003"
PORTAL_URL = "https://portal.example.com"
UPGRADE = f"{PORTAL_URL}/my/databases/{DATABASE}"


class Signer:
    """Who holds a private key."""

    def __init__(self, name):
        self.name = name
        self.key = Ed25519PrivateKey.generate()

    @property
    def public(self):
        """Return the public key as a JWK."""
        found = json.loads(OKPAlgorithm.to_jwk(self.key.public_key()))
        return {key: found[key] for key in ("kty", "crv", "x")} | {"kid": self.name}

    def sign(self, payload, typ, **header):
        """Return a compact JWS; a header that is None is left out. No library minds what is signed."""
        header = {"alg": "EdDSA", "kid": self.name, "typ": typ} | header
        head = encode({name: value for name, value in header.items() if value is not None})
        text = f"{head}.{encode(payload)}"
        return f"{text}.{encode_bytes(self.key.sign(text.encode()))}"


def encode(value):
    """Return a value as a part of a token."""
    return encode_bytes(json.dumps(value).encode())


def encode_bytes(value):
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


class SaasCase(common.TransactionCase):
    """A database for which a server may sign; nothing is signed yet."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server, cls.portal = Signer("server-1"), Signer("portal-1")
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.anchor = Path(folder.name, "trust.json")
        cls.write_anchor(cls.server.public)
        settings = patch.dict(os.environ, FLEET_TRUST=str(cls.anchor))
        settings.start()
        cls.addClassCleanup(settings.stop)
        cls.client = cls.env["saas.client"]

    def setUp(self):
        super().setUp()
        # Measured sizes outlive a test's transaction.
        self.env["ir.attachment"]._forget_used_bytes()

    @classmethod
    def write_anchor(cls, *keys):
        # As the server does: a new file takes the old one's place.
        new = cls.anchor.with_suffix(".new")
        new.write_text(json.dumps({"keys": list(keys)}))
        new.replace(cls.anchor)

    @classmethod
    def store(cls, token):
        """Store a document as the server does, by SQL."""
        cls.env.cr.execute("DELETE FROM fleet_document")
        cls.env.cr.execute("INSERT INTO fleet_document (id, token) VALUES (1, %s)", [token])

    @classmethod
    def sign(cls, **content):
        """Sign and store a document; return the token."""
        portal = {
            "url": PORTAL_URL,
            "iss": PORTAL,
            "keys": [cls.portal.public],
            "upgrade": f"/my/databases/{DATABASE}",
            "name": "Good Hosting",
        }
        payload = {
            "iss": SERVER,
            "aud": DATABASE,
            "iat": int(time.time()),
            "seq": 1,
            "plan": "Starter",
            "state": "active",
            "portal": portal,
        }
        token = cls.server.sign(payload | content, "fleet-document+jwt")
        cls.store(token)
        return token

    @classmethod
    def ticket(cls, signer=None, headers=None, **claims):
        """Return a ticket; a claim that is None is left out."""
        now = int(time.time())
        payload = {
            "iss": PORTAL,
            "aud": DATABASE,
            "sub": "admin",
            "jti": secrets.token_urlsafe(24),
            "iat": now,
            "exp": now + 60,
            "redirect": "/odoo",
        } | claims
        payload = {name: value for name, value in payload.items() if value is not None}
        headers = {"typ": "fleet-ticket+jwt"} | (headers or {})
        return (signer or cls.portal).sign(payload, **headers)

    def count(self):
        return self.client._count_users()

    def limit_to(self, more, **content):
        """Sign for ``more`` users than there are now."""
        self.sign(limits={"users": self.count() + more}, **content)

    @contextmanager
    def refused(self, words):
        """Expect that what is done inside is refused in ``words`` and leaves no trace."""
        with self.assertRaises(LimitReached) as caught:
            yield caught
        self.assertRegex(str(caught.exception), words)
