"""The manifest of a backup: what it holds and how to tell, signed with Ed25519.

As a file it is two lines, the manifest as one line of canonical JSON and its signature in base64,
so that ``openssl`` can check it without this program.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .errors import HostingError, sentences
from .files import STORED_NAME

FORMAT = 1

sentences(
    bad_manifest="The manifest of the backup %(backup)s cannot be read: %(reason)s. Choose another "
    "backup, and verify the repository.",
    bad_signature="The manifest of the backup %(backup)s was not signed by this server, or was "
    "changed afterwards. It is not restored; import the key of the server that made it if you "
    "trust that one.",
    bad_key="This is no Ed25519 key: %(reason)s.",
)


@dataclass(frozen=True)
class Manifest:
    """What one backup holds.

    :param backup: the backup's id, also a tag on its snapshots
    :param taken_at: UTC, ISO 8601
    :param server: major version of the PostgreSQL server that was dumped
    :param client: major version of the pg_dump that wrote the dump
    :param dump: id of the dump's snapshot; ``files_snapshot`` is "" where there are no files
    :param files: bytes by stored name; a name's last part is the SHA-1 of the content
    :param missing: files that the database names and that were not there, or not of their size
    :param rows: rows by ``schema.table``
    """

    backup: str
    name: str
    uuid: str
    taken_at: str
    odoo: str
    server: int
    client: int
    dump: str
    dump_size: int
    dump_sha256: str
    files_snapshot: str
    purpose: str = ""
    database_size: int = 0
    modules: dict[str, str] = field(default_factory=dict)
    extensions: dict[str, str] = field(default_factory=dict)
    files: dict[str, int] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def files_bytes(self) -> int:
        """Return the bytes of all files."""
        return sum(self.files.values())

    def canonical(self) -> bytes:
        """Return the one way to write this manifest, which is what gets signed."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    def sign(self, key: Ed25519PrivateKey) -> bytes:
        """Return the manifest's file."""
        line = self.canonical()
        return line + b"\n" + base64.b64encode(key.sign(line)) + b"\n"


def verify(data: bytes, keys: Iterable[Ed25519PublicKey], *, backup: str) -> Manifest:
    """Return the manifest in a file, when one of ``keys`` signed it and it is of ``backup``.

    :raises HostingError: ``bad_signature`` before anything in it is read; ``bad_manifest``
    """
    line, _, rest = data.partition(b"\n")
    try:
        signature = base64.b64decode(rest.strip(), validate=True)
    except binascii.Error as error:
        raise HostingError("bad_signature", backup=backup) from error
    if not any(_signed(key, signature, line) for key in keys):
        raise HostingError("bad_signature", backup=backup)
    return _parse(line, backup)


def _signed(key: Ed25519PublicKey, signature: bytes, line: bytes) -> bool:
    try:
        key.verify(signature, line)
    except InvalidSignature:
        return False
    return True


def _parse(line: bytes, backup: str) -> Manifest:
    try:
        values = json.loads(line)
        if values.get("format") != FORMAT:
            raise ValueError(f"its format {values.get('format')!r} is unknown here")
        manifest = Manifest(**values)
        _check(manifest)
    except (ValueError, TypeError, AttributeError) as error:
        raise HostingError("bad_manifest", backup=backup, reason=error) from error
    # A good manifest under another backup's tag would restore another day than was asked for.
    if manifest.backup != backup:
        raise HostingError("bad_manifest", backup=backup, reason=f"it is that of {manifest.backup}")
    return manifest


def _check(manifest: Manifest) -> None:
    for definition in fields(Manifest):
        kind = {"str": str, "int": int}.get(str(definition.type)) or (
            list if str(definition.type).startswith("list") else dict
        )
        if type(getattr(manifest, definition.name)) is not kind:
            raise ValueError(f"{definition.name} is no {kind.__name__}")
    for name, size in manifest.files.items():
        if not STORED_NAME.fullmatch(name) or type(size) is not int or size < 0:
            raise ValueError(f"{name!r} is no stored file")


# --- keys


def new_key() -> Ed25519PrivateKey:
    """Return a new key to sign with."""
    return Ed25519PrivateKey.generate()


def private_text(key: Ed25519PrivateKey) -> str:
    """Return a private key as 44 characters of base64; a secret."""
    return base64.b64encode(key.private_bytes_raw()).decode()


def private_key(text: str) -> Ed25519PrivateKey:
    """Return the key of `private_text`.

    :raises HostingError: ``bad_key``
    """
    try:
        return Ed25519PrivateKey.from_private_bytes(base64.b64decode(text, validate=True))
    except ValueError as error:
        raise HostingError("bad_key", reason="the text is not one of this server's") from error


def public_pem(key: Ed25519PrivateKey | Ed25519PublicKey) -> str:
    """Return a public key, or that of a private one, as PEM."""
    public = key.public_key() if isinstance(key, Ed25519PrivateKey) else key
    return public.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def public_key(pem: str) -> Ed25519PublicKey:
    """Return the key in a PEM text.

    :raises HostingError: ``bad_key``
    """
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except ValueError as error:
        raise HostingError("bad_key", reason="the PEM text cannot be read") from error
    if not isinstance(key, Ed25519PublicKey):
        raise HostingError("bad_key", reason="it is of another kind")
    return key
