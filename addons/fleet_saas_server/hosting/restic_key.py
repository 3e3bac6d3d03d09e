"""A quick key for a repository in a folder: its password is drawn at random, not thought up.

restic makes every key slow to derive (scrypt, half a second a call), because people's passwords can
be guessed. Ours have 256 random bits, so nobody tries them all however quick one try is. This adds
a second key file for the same password whose derivation costs nothing; restic's own stays, and
whoever opens the repository without knowing of the quick one notices no difference.

The format is restic's design document ("Keys, Encryption and MAC"): a key file holds the
repository's master key, encrypted with AES-256-CTR and authenticated with Poly1305-AES under what
scrypt derives from the password; it is called by its SHA-256.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.poly1305 import Poly1305

QUICK = {"N": 2, "r": 8, "p": 1}  # the least that scrypt allows
ENOUGH = 40  # characters of a password of 256 random bits in base 64
_BLOCK = 16  # bytes of AES's block, of the nonce and of the tag


def find(location: str) -> str:
    """Return the name of the quick key of the repository at ``location``, "" without one."""
    return next((path.name for path, key in _keys(location) if key.get("N") == QUICK["N"]), "")


def add(location: str, password: str) -> bool:
    """Give the repository in a folder a quick key; return whether it has one now.

    Nothing is done for a storage that is no folder, for a password that may be somebody's own, and
    where no key opens with this password: then restic's own is good enough.
    """
    if ":" in location or len(password) < ENOUGH:
        return False
    if find(location):
        return True
    for _path, key in _keys(location):
        master = opened(key, password)
        if master:
            with contextlib.suppress(OSError):
                _write(Path(location), sealed(key, password, master))
                return True
    return False


def heal(location: str, password: str) -> bool:
    """Remove key files that were damaged, where an intact one opens; return whether one was removed.

    restic tries all key files in the order in which the folder lists them, and gives up at the first
    whose content is not what its name says: nobody can use it, and it bars the way to the others.
    """
    with contextlib.suppress(OSError):
        if not any(opened(key, password) for path, key in _keys(location) if not _damaged(path)):
            return False
        found = (path for path in (Path(location) / "keys").iterdir() if path.is_file())
        damaged = [path for path in found if _damaged(path)]
        for path in damaged:
            path.unlink()
        return bool(damaged)
    return False


def _damaged(path: Path) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest() != path.name


def _keys(location: str) -> Iterator[tuple[Path, dict[str, Any]]]:
    folder = Path(location) / "keys"
    if ":" in location or not folder.is_dir():
        return
    for path in sorted(folder.iterdir()):
        with contextlib.suppress(OSError, ValueError):
            if isinstance(key := json.loads(path.read_text()), dict):
                yield path, key


def _derived(password: str, salt: bytes, key: Mapping[str, Any]) -> tuple[bytes, bytes, bytes]:
    """Return the keys for encryption, and for the tag's nonce and polynomial."""
    made = hashlib.scrypt(
        password.encode(),
        salt=salt,
        n=key["N"],
        r=key["r"],
        p=key["p"],
        maxmem=1 << 30,
        dklen=64,
    )
    return made[:32], made[32:48], made[48:]


def _tag(nonce: bytes, text: bytes, nonce_key: bytes, polynomial: bytes) -> bytes:
    block = Cipher(algorithms.AES(nonce_key), modes.ECB()).encryptor()
    return Poly1305.generate_tag(polynomial + block.update(nonce), text)


def _crypt(key: bytes, nonce: bytes, text: bytes) -> bytes:
    return Cipher(algorithms.AES(key), modes.CTR(nonce)).encryptor().update(text)


def opened(key: Mapping[str, Any], password: str) -> bytes:
    """Return the master key in a key file, b"" when it does not open."""
    try:
        data = base64.b64decode(key["data"])
        nonce, text, tag = data[:_BLOCK], data[_BLOCK:-_BLOCK], data[-_BLOCK:]
        encryption, nonce_key, polynomial = _derived(password, base64.b64decode(key["salt"]), key)
        if not secrets.compare_digest(tag, _tag(nonce, text, nonce_key, polynomial)):
            return b""
        return _crypt(encryption, nonce, text)
    except (KeyError, TypeError, ValueError):
        return b""


def sealed(key: Mapping[str, Any], password: str, master: bytes) -> bytes:
    """Return the content of a quick key file like ``key``."""
    salt, nonce = secrets.token_bytes(64), secrets.token_bytes(_BLOCK)
    encryption, nonce_key, polynomial = _derived(password, salt, QUICK)
    text = _crypt(encryption, nonce, master)
    data = nonce + text + _tag(nonce, text, nonce_key, polynomial)
    made = {"salt": base64.b64encode(salt).decode(), "data": base64.b64encode(data).decode()}
    return json.dumps({**key, **QUICK, **made}).encode()


def _write(repository: Path, content: bytes) -> None:
    """Write a key file whole or not at all; restic tries every file in that folder."""
    beside = repository.with_name(f".{repository.name}.key")
    beside.unlink(missing_ok=True)
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o400)
    with os.fdopen(handle, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(handle)
    os.replace(beside, repository / "keys" / hashlib.sha256(content).hexdigest())
