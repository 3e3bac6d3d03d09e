"""What one hosting server gives another so that a database can move: sealed, readable by that one.

Both reach one backup place. The package says which repository there holds the database and has the
repository's password; the credentials of the place do not travel, each server has its own. It is
encrypted for the public key of the server that takes over: an ephemeral X25519 key, HKDF-SHA256 and
ChaCha20-Poly1305, so that whoever carries it, the portal or a log, learns nothing. It proves nothing
about its sender: servers do what the portal asks of them.

Two marks in the repository, both snapshots without data, keep the database from being open twice.
Who takes over writes *claim* and then looks for *void*; who takes back writes *void* and then looks
for *claim*. Storages answer what was written last, so of two at the same moment one at least sees
the other, and whoever sees the other does not go on.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from .backup import BACKUP_ID
from .errors import HostingError, sentences
from .host import Host
from .names import check_name
from .restic import Repository

INFO = b"fleet-handover-1"
MARKER = ".fleet-place"
CLAIM, VOID = "handover=claim", "handover=void"
KEY_SIZE, NONCE_SIZE = 32, 12
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FOLDER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}-[0-9a-z]{8}")
HOST = re.compile(r"[a-z0-9][a-z0-9.-]{0,252}")
LONGEST = 20_000  # characters of a package
PURPOSES = ("customer", "trial", "staging")

sentences(
    bad_handover="This is no package for this server (%(reason)s). Have the database handed over "
    "again, for the key that this server shows now.",
    bad_handover_key="The key of the server that is to take over cannot be used. Synchronise that "
    "server in the portal, then try again.",
)


@dataclass(frozen=True)
class Package:
    """What is told to the server that takes over.

    :param place: id of the backup place that both servers have; ``folder`` is the repository in it
    :param backup: its number; ``public_key`` (PEM) has signed its manifest
    :param url: the address so far
    :param bytes: of dump and files
    :param mail_host: the mail server that the former host gave it, "" for none
    :param hosts: further host names that lead to it
    """

    name: str
    uuid: str
    purpose: str
    place: str
    folder: str
    backup: str
    password: str = field(repr=False)
    public_key: str
    url: str
    source: str
    bytes: int = 0
    neutralized: bool = False
    mail_host: str = ""
    hosts: tuple[str, ...] = ()


# --- keys


def new_key() -> str:
    """Return a new private key as text; a secret."""
    return _text(X25519PrivateKey.generate().private_bytes_raw())


def public_text(private: str) -> str:
    """Return the public half of a private key, 43 characters."""
    return _text(_private(private).public_key().public_bytes_raw())


def _private(text: str) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(_bytes(text))


# --- packages


def seal(package: Package, target: str) -> str:
    """Return a package that only the owner of the public key ``target`` can open.

    :raises HostingError: ``bad_handover_key``
    """
    ephemeral = X25519PrivateKey.generate()
    public = ephemeral.public_key().public_bytes_raw()
    try:
        shared = ephemeral.exchange(X25519PublicKey.from_public_bytes(_bytes(target)))
    except ValueError as error:
        raise HostingError("bad_handover_key") from error
    nonce = secrets.token_bytes(NONCE_SIZE)
    cipher = ChaCha20Poly1305(_derive(shared, public, _bytes(target)))
    return _text(public + nonce + cipher.encrypt(nonce, json.dumps(asdict(package)).encode(), INFO))


def unseal(text: str, private: str) -> Package:
    """Return what a package says.

    :raises HostingError: ``bad_handover``: damaged, for another server, or of another shape
    """
    try:
        data = _bytes(text)
        public, nonce = data[:KEY_SIZE], data[KEY_SIZE : KEY_SIZE + NONCE_SIZE]
        shared = _private(private).exchange(X25519PublicKey.from_public_bytes(public))
        cipher = ChaCha20Poly1305(_derive(shared, public, _bytes(public_text(private))))
        plain = cipher.decrypt(nonce, data[KEY_SIZE + NONCE_SIZE :], INFO)
    except (ValueError, InvalidTag) as error:
        raise HostingError("bad_handover", reason="it cannot be opened here") from error
    return _parse(plain)


def _parse(plain: bytes) -> Package:
    try:
        values: Any = json.loads(plain)
        package = Package(**{**values, "hosts": tuple(values["hosts"])})
        _check(package)
    except (TypeError, KeyError, ValueError, HostingError) as error:
        raise HostingError("bad_handover", reason=f"its content is wrong: {error}") from error
    return package


def _check(package: Package) -> None:
    """Raise ``ValueError`` unless every value is what it must be; folders and names become paths."""
    for name, value in asdict(package).items():
        kind = {"bytes": int, "neutralized": bool, "hosts": tuple}.get(name, str)
        if type(value) is not kind:
            raise ValueError(f"{name} has the wrong type")
    check_name(package.name)
    for name, rule in (("uuid", UUID), ("folder", FOLDER), ("backup", BACKUP_ID)):
        if not rule.fullmatch(getattr(package, name)):
            raise ValueError(f"{name} is wrong")
    if package.purpose not in PURPOSES or package.bytes < 0:
        raise ValueError("purpose or size is wrong")
    if not all(isinstance(host, str) and HOST.fullmatch(host) for host in package.hosts):
        raise ValueError("a host name is wrong")


def _derive(shared: bytes, ephemeral: bytes, target: bytes) -> bytes:
    # Both public keys go in, so that no other pair can stand for this one.
    return HKDF(SHA256(), KEY_SIZE, salt=None, info=INFO + ephemeral + target).derive(shared)


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ValueError("no base64") from error


# --- places


def local_place(host: Host) -> str:
    """Return the id of this machine's backup folder, "" when it cannot be written.

    It stands in a file there: two servers have the same folder when they read the same file, by
    whatever path, and a path that both have proves nothing.
    """
    path = host.backups / MARKER
    try:
        host.backups.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_once(path, secrets.token_hex(16))
        found = path.read_text().strip()
    except OSError:
        return ""
    return found if re.fullmatch(r"[0-9a-f]{32}", found) else ""


def _write_once(path: os.PathLike[str], text: str) -> None:
    """Write a file, unless there is one; a rival that is first wins, and none is seen half written."""
    temporary = f"{os.fspath(path)}.{secrets.token_hex(4)}"
    if os.path.exists(path):
        return
    with open(temporary, "x", encoding="ascii") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        os.unlink(temporary)


def remote_place(kind: str, location: str) -> str:
    """Return the id of a place that every machine calls by the same address."""
    return hashlib.sha256(f"{kind}:{location.rstrip('/')}".encode()).hexdigest()[:32]


# --- marks in the repository


def marks(repository: Repository) -> Mapping[str, list[str]]:
    """Return the snapshots that carry each mark, `CLAIM` and `VOID`. Calls restic once."""
    found: dict[str, list[str]] = {CLAIM: [], VOID: []}
    for snapshot in repository.snapshots():
        for mark in found.keys() & set(snapshot.tags):
            found[mark].append(snapshot.id)
    return found


def put_mark(repository: Repository, mark: str) -> None:
    """Write a mark; twice is once."""
    repository.backup_bytes(mark.encode(), "mark", [mark])


def remove_mark(repository: Repository, mark: str) -> None:
    """Take a mark away, however often it was written."""
    if found := marks(repository)[mark]:
        repository.forget(found)
