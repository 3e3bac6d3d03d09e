"""The modules that a database has installed, and their folders on the addons path."""

from __future__ import annotations

import ast
import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from psycopg2.extensions import cursor

from .errors import HostingError, sentences

MANIFEST = "__manifest__.py"
# What decides how a database looks that was made of a module; compiled files and pictures do not.
COUNTED = (".py", ".xml", ".csv", ".js", ".scss", ".sql", ".po")
INSTALLED_STATES = ("installed", "to upgrade", "to remove")

sentences(
    module_missing="The module %(module)s is installed in the database, but has no folder on this "
    "server's addons path, so what it would switch off in a copy is not known. Add its folder to "
    "addons_path, or uninstall it.",
    bad_module_manifest="The manifest of the module %(module)s cannot be read (%(reason)s). "
    "Repair the module's folder.",
)


@dataclass(frozen=True)
class ModuleIdentity:
    """What a module's folder holds: its version and a SHA-256 of its files."""

    version: str
    digest: str


class AddonsPath:
    """The folders in which this server finds modules, in the order in which Odoo looks.

    :param folders: as in Odoo's ``addons_path``, ``odoo/addons`` (with ``base``) among them
    """

    def __init__(self, folders: Iterable[str | Path]) -> None:
        self.folders = tuple(Path(folder) for folder in folders)
        self._identities: dict[str, tuple[str, ModuleIdentity]] = {}

    def folder(self, module: str) -> Path | None:
        """Return the first folder of that name that has a manifest, as Odoo does."""
        for parent in self.folders:
            folder = os.path.join(parent, module)
            if os.path.isfile(os.path.join(folder, MANIFEST)):
                return Path(folder)
        return None

    def installed(self, cr: cursor) -> list[str]:
        """Return the modules that are installed in the database, ``base`` first."""
        cr.execute(
            "SELECT name FROM ir_module_module WHERE state IN %s ORDER BY name <> 'base', id",
            [INSTALLED_STATES],
        )
        return [row[0] for row in cr.fetchall()]

    def missing(self, cr: cursor) -> list[str]:
        """Return the installed modules that have no folder here."""
        return [module for module in self.installed(cr) if self.folder(module) is None]

    def neutralize_sql(self, module: str) -> str | None:
        """Return what a module runs to make a copy inert, None when it has nothing to say.

        :raises HostingError: ``module_missing``: Odoo would skip it silently
        """
        try:
            text = (self._found(module) / "data" / "neutralize.sql").read_text("utf-8")
        except FileNotFoundError:
            return None
        return text.strip() or None

    def version(self, module: str) -> str:
        """Return the version in a module's manifest, ``1.0`` when it has none."""
        path = self._found(module) / MANIFEST
        try:
            manifest = ast.literal_eval(path.read_text("utf-8"))
            return str(manifest.get("version") or "1.0")
        except (OSError, ValueError, SyntaxError, AttributeError) as error:
            reason = type(error).__name__
            raise HostingError("bad_module_manifest", module=module, reason=reason) from error

    def identity(self, module: str) -> ModuleIdentity:
        """Return version and digest of a module's files; read again only when one was touched."""
        folder = self._found(module)
        files = sorted(_counted_files(folder))
        touched = hashlib.sha256()
        for path in files:
            facts = os.stat(path)
            touched.update(f"{path}\0{facts.st_size}\0{facts.st_mtime_ns}\n".encode())
        known = self._identities.get(module)
        if known is None or known[0] != touched.hexdigest():
            identity = ModuleIdentity(self.version(module), _digest(folder, files))
            self._identities[module] = known = (touched.hexdigest(), identity)
        return known[1]

    def _found(self, module: str) -> Path:
        folder = self.folder(module)
        if folder is None:
            raise HostingError("module_missing", module=module)
        return folder


def _counted_files(folder: Path) -> Iterator[str]:
    for parent, _folders, names in os.walk(folder):
        for name in names:
            path = os.path.join(parent, name)
            # Not a link that leads nowhere, such as an editor's lock.
            if name.endswith(COUNTED) and os.path.isfile(path):
                yield path


def _digest(folder: Path, files: list[str]) -> str:
    digest = hashlib.sha256()
    for path in files:
        content = Path(path).read_bytes()
        digest.update(f"{os.path.relpath(path, folder)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()
