"""Archives as Odoo makes them, and as somebody hostile would."""

from __future__ import annotations

import hashlib
import json
import stat
import zipfile
from collections.abc import Mapping
from pathlib import Path

# The least that passes for an Odoo database.
TABLES = """
CREATE TABLE public.ir_module_module (name varchar, latest_version varchar, state varchar);
CREATE TABLE public.ir_attachment (id serial, store_fname varchar);
CREATE TABLE public.res_users (id serial, login varchar);
CREATE TABLE public.ir_config_parameter (key varchar, value text);
COPY public.ir_module_module (name, latest_version, state) FROM stdin;
base\t19.0.1.3\tinstalled
\\.
"""
MANIFEST = {
    "odoo_dump": "1",
    "db_name": "elsewhere",
    "version": "19.0",
    "version_info": [19, 0, 0, "final", 0, ""],
    "major_version": "19.0",
    "pg_version": "15.0",
    "modules": {"base": "19.0.1.3"},
}


def stored(content: bytes) -> str:
    """Return the member name of a stored file."""
    digest = hashlib.sha1(content, usedforsecurity=False).hexdigest()
    return f"filestore/{digest[:2]}/{digest}"


def write_zip(
    path: Path,
    dump: str | bytes = TABLES,
    *,
    manifest: Mapping[str, object] | None = None,
    members: Mapping[str, bytes] | None = None,
) -> Path:
    """Write an archive with a dump and stored files; ``members`` may be named anything."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dump.sql", dump)
        archive.writestr("manifest.json", json.dumps({**MANIFEST, **(manifest or {})}))
        for name, content in (members or {}).items():
            archive.writestr(name, content)
    return path


def add_link(path: Path, name: str, target: str) -> None:
    """Add a symbolic link, as ``zip --symlinks`` does."""
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, target)


def lie_about_size(path: Path, name: str, size: int) -> None:
    """Overwrite what an archive claims to be a member's decompressed size, in both places."""
    with zipfile.ZipFile(path) as archive:
        local = archive.getinfo(name).header_offset
    data = bytearray(path.read_bytes())
    central = data.rindex(name.encode()) - 46
    for at in (local + 22, central + 24):
        data[at : at + 4] = size.to_bytes(4, "little")
    path.write_bytes(data)


def write_many(path: Path, count: int) -> Path:
    """Write a zip whose list of members has ``count`` times the same entry, and nothing else."""
    entry = b"PK\x01\x02" + bytes(24) + (1).to_bytes(2, "little") + bytes(16) + b"x"
    end = b"PK\x05\x06" + bytes(4) + b"\xff\xff\xff\xff"
    end += (len(entry) * count).to_bytes(4, "little") + bytes(4) + bytes(2)
    path.write_bytes(b"PK\x03\x04" + entry * count + end)
    return path


def lead_away(path: Path) -> Path:
    """Let a zip's end in 64 bits be found twice: right before the end, and where its locator says."""
    data = path.read_bytes()
    size, offset = (int.from_bytes(data[at : at + 4], "little") for at in (-10, -6))
    count = data[-12:-10] + bytes(6)
    record = b"PK\x06\x06" + (44).to_bytes(8, "little") + bytes(12) + count + count
    record += size.to_bytes(8, "little") + offset.to_bytes(8, "little")
    locator = b"PK\x06\x07" + bytes(4) + (4).to_bytes(8, "little") + (1).to_bytes(4, "little")
    path.write_bytes(data[:-22] + record + locator + data[-22:])
    return path
