"""What this server tells a hosted database: its plan, its limits, its notices, who may let people in.

A document is signed with the server's own Ed25519 key and written by SQL into a table that no
model of the database reaches, so its administrator cannot change it. What the database trusts lies
outside of it too: the public keys in `trust_file`, which the hosted process reads. The addon
``fleet_saas_client`` describes the format; in a database without it nothing is written.
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Iterable, Mapping
from contextlib import closing
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from psycopg2.extensions import cursor

from . import place
from .contract import Argument
from .engine import Context, Plan, Step
from .failpoints import failpoint
from .host import Host
from .kind import Kind
from .manifest import private_key
from .routes import write_whole

TABLE = "fleet_document"
TYPE = "fleet-document+jwt"
ALGORITHM = "EdDSA"
STATES = ("trial", "active", "grace", "suspended", "released")
PARTS = ("plan", "state", "ends", "limits", "portal", "notices")
FOR_SERVER = ("backup_policy",)  # what comes along and is no business of the database's
LIMITS = ("users", "users_soft", "storage_mb", "storage_soft_mb")
MAX_BYTES = 64 * 1024


# --- keys


def key_id(key: Ed25519PublicKey) -> str:
    """Return what a key is called in a header: the beginning of its SHA-256."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def jwk(key: Ed25519PublicKey) -> dict[str, str]:
    """Return a public key as JSON Web Key (RFC 8037)."""
    x = base64.urlsafe_b64encode(key.public_bytes_raw()).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "kid": key_id(key), "x": x}


def write_trust(host: Host, keys: Iterable[Ed25519PublicKey]) -> None:
    """Let hosted databases trust what these keys have signed; does nothing when they do already."""
    wanted = json.dumps({"keys": [jwk(key) for key in keys]}, sort_keys=True)
    path = host.work_dir / "trust.json"
    if not path.exists() or path.read_text() != wanted:
        write_whole(path, wanted)


# --- documents


def check_content(value: Any) -> dict[str, Any]:
    """Return the content of a document when a database can read it; raise ``ValueError``.

    :param value: any of `PARTS`, as the readme of ``fleet_saas_client`` has them, and `FOR_SERVER`
    """
    known = (*PARTS, *FOR_SERVER)
    if not isinstance(value, dict) or not value.keys() <= set(known):
        raise ValueError(f"an object with any of {', '.join(known)} is expected")
    if len(json.dumps(value, allow_nan=False)) > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES} bytes")
    if value.get("state", "active") not in STATES:
        raise ValueError(f"state must be one of {', '.join(STATES)}")
    for name, kind in (
        ("limits", dict),
        ("portal", dict),
        ("notices", list),
        ("backup_policy", str),
    ):
        if value.get(name) is not None and not isinstance(value[name], kind):
            raise ValueError(f"{name} has the wrong type")
    _check_limits(value.get("limits") or {})
    return value


def _check_limits(limits: Mapping[str, Any]) -> None:
    for name in LIMITS:
        most = limits.get(name)
        if most is not None and (type(most) is not int or most < 0):
            raise ValueError(f"limits.{name} must be a whole number from 0, or null")
    apps = limits.get("apps")
    if apps is not None and not (
        isinstance(apps, list) and all(isinstance(each, str) for each in apps)
    ):
        raise ValueError("limits.apps must be a list of technical names, or null")


def sign(content: Mapping[str, Any], key: Ed25519PrivateKey, *, issuer: str, audience: str) -> str:
    """Return the document for one database as a compact JWS.

    :param issuer: uuid of this server; ``audience`` is the database's
    """
    now = time.time()
    claims = {
        **{name: part for name, part in content.items() if name not in FOR_SERVER},
        "iss": issuer,
        "aud": audience,
        "iat": int(now),
        "seq": int(now * 1000),
    }
    headers = {"kid": key_id(key.public_key()), "typ": TYPE}
    return jwt.encode(claims, key, algorithm=ALGORITHM, headers=headers)


def put(cr: cursor, token: str) -> bool:
    """Write a document into the database of ``cr``; return False when it cannot read any."""
    cr.execute("SELECT to_regclass(%s) IS NOT NULL", [TABLE])
    if not cr.fetchone()[0]:
        return False
    cr.execute(
        f"INSERT INTO {TABLE} (id, token) VALUES (1, %s) "
        "ON CONFLICT (id) DO UPDATE SET token = EXCLUDED.token",
        [token],
    )
    return True


# --- the operation


def put_content(context: Context, cr: cursor, uuid: str, content: Mapping[str, Any]) -> bool:
    """Sign ``content`` for the database of ``cr`` and write it; return whether it can read it."""
    key = private_key(context.secrets["document_key"])
    write_trust(context.host, [key.public_key()])
    return put(cr, sign(content, key, issuer=context.host.server, audience=uuid))


def _write(context: Context) -> dict[str, Any]:
    """Write the document; the database looks at it anew with every request."""
    physical = place.locate(context)
    with closing(context.host.cluster.connect(physical, autocommit=False)) as opened:
        with opened, opened.cursor() as cr:
            uuid, content = context.request["uuid"], context.request["content"]
            written = put_content(context, cr, uuid, content)
            failpoint("document.written")
    return {"written": written}


def _plan(_request: Mapping[str, Any]) -> Plan:
    return Plan((Step("write", _write),), deadline_s=120)


KINDS = (Kind("document", _plan, {"content": Argument(check_content, required=True)}),)
