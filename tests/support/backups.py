"""A small Odoo database with files, its repository and its tools, for the tests of backups."""

from __future__ import annotations

import atexit
import contextlib
import datetime
import functools
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg2.errors
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hosting import backup, manifest, names, restic_key, restore
from hosting.pgtools import PgTools
from hosting.postgres import Cluster, Mark
from hosting.restic import Repository

from fleetdev import cluster as private
from fleetdev import databases, postgres, restic

PASSWORD = "correct horse battery staple"
SERVER = "5f3c1a52-tests-of-backups"
CONTENTS = 40


def pg_bin() -> str:
    """Return the folder of the programs that fit the server of the tests."""
    if os.environ.get("FLEET_PG_PRIVATE"):
        return str(private.binaries())
    return ""


def cluster() -> Cluster:
    """Return the server of the tests, as the role that is no superuser."""
    given = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    return Cluster({key: os.environ[name] for key, name in given.items() if name in os.environ})


def repository(folder: Path, **changes: object) -> Repository:
    """Return a repository in a folder; it is not made yet."""
    values = {"location": str(folder), "password": PASSWORD, "binary": str(restic.ensure())}
    return Repository(**(values | changes))


def cheap(repo: Repository) -> Repository:
    """Wrap a new local repository's key anew, with a key derivation that takes no time.

    restic's own choice takes half a second of every call, and the tests make hundreds of them. The
    product does so only for passwords that are longer than the one here, and keeps restic's key.
    """
    (path,) = Path(repo.location, "keys").iterdir()
    content = rewrapped(path.read_bytes(), repo.password)
    path.with_name(hashlib.sha256(content).hexdigest()).write_bytes(content)
    path.unlink()
    return repo


def make(repo: Repository) -> None:
    """Have a local repository: a copy of an empty one, the same for all with this password.

    restic tries out for seconds how slow a key can be whenever it makes one.
    """
    shutil.copytree(_empty(repo.password), repo.location)


@functools.cache
def _empty(password: str) -> str:
    folder = tempfile.TemporaryDirectory(prefix="fleet-restic-")
    atexit.register(folder.cleanup)
    made = repository(Path(folder.name) / "empty", password=password)
    made.init()
    if not restic_key.find(made.location):
        cheap(made)
    return made.location


def rewrapped(content: bytes, password: str) -> bytes:
    """Return restic's key file with the same master key behind a cheap derivation."""
    key = json.loads(content)
    master = restic_key.opened(key, password)
    assert master, "restic's key file has another format"
    return restic_key.sealed(key, password, master)


def restic_directly(repo: Repository, *arguments: str) -> str:
    """Run restic as an operator would, and return what it prints."""
    env = os.environ | {"RESTIC_REPOSITORY": repo.location, "RESTIC_PASSWORD": repo.password}
    command = [repo.binary, "--no-cache", *arguments]
    result = subprocess.run(
        command, env=env | dict(repo.env), capture_output=True, text=True, check=True
    )
    return result.stdout


def packs(repo: Repository) -> list[Path]:
    """Return the files of a local repository that hold the data, largest first."""
    found = [path for path in Path(repo.location, "data").rglob("*") if path.is_file()]
    return sorted(found, key=lambda path: path.stat().st_size, reverse=True)


@dataclass
class Case:
    """A database in use, and where its backups go."""

    folder: Path
    database: str
    tools: PgTools
    repo: Repository
    key: Ed25519PrivateKey
    source: backup.Source

    @property
    def cluster(self) -> Cluster:
        return self.tools.cluster

    @property
    def keys(self) -> list:
        return [self.key.public_key()]

    def take(self, **changes: object) -> backup.Backup:
        """Take a backup under a new id."""
        values = {
            "backup": new_id(),
            "tools": self.tools,
            "repository": self.repo,
            "key": self.key,
        }
        return backup.take(self.source, **(values | changes))

    def fetch(self, taken: backup.Backup, **changes: object) -> restore.Found:
        """Return the manifest of a backup."""
        values = {"repository": self.repo, "backup": taken.backup, "keys": self.keys}
        return restore.fetch_manifest(**(values | changes))

    @contextlib.contextmanager
    def target(self) -> Iterator[restore.Target]:
        """Give a new hidden name to restore to, and drop what is there afterwards."""
        name = names.hidden_name("restore")
        mark = Mark(server=SERVER, kind="hidden", uuid=self.source.uuid)
        folder = self.folder / "restored" / name
        try:
            yield restore.Target(name, mark, folder, self.folder / "work")
        finally:
            postgres.drop(name)

    @contextlib.contextmanager
    def restored(
        self, taken: backup.Backup, **options: object
    ) -> Iterator[tuple[restore.Target, restore.Restored]]:
        """Restore a backup for the time of the block."""
        with self.target() as target:
            options.setdefault("repository", self.repo)
            found = self.fetch(taken, repository=options["repository"])
            yield target, restore.restore(found, target, tools=self.tools, **options)

    def attach(self, content: bytes, cr: object) -> str:
        """Store content as Odoo does: the file first, then the row, in the caller's transaction."""
        digest = hashlib.sha1(content).hexdigest()
        name = f"{digest[:2]}/{digest}"
        path = self.source.filestore / name
        path.parent.mkdir(parents=True, exist_ok=True)
        building = path.with_suffix(f".{secrets.token_hex(4)}")
        building.write_bytes(content)
        building.rename(path)
        cr.execute(
            "INSERT INTO ir_attachment (name, type, store_fname, file_size) "
            "VALUES ('bench', 'binary', %s, %s)",
            [name, len(content)],
        )
        return name


def new_id() -> str:
    """Return a new id of a backup."""
    now = datetime.datetime.now(datetime.timezone.utc)
    return f"{now:%Y%m%dt%H%M%S}-{secrets.token_hex(4)}"


def _copy_template(database: str) -> None:
    """Copy the base template, which another test may be copying or looking into."""
    for again in range(6):
        try:
            return postgres.copy(databases.template("base"), database)
        except psycopg2.errors.ObjectInUse:
            if again == 5:
                raise


@contextlib.contextmanager
def odoo_database(folder: Path, name: str, files: int = CONTENTS) -> Iterator[Case]:
    """Give a copy of the base template with ``files`` attachments, dropped at the end."""
    database = f"{postgres.prefix()}test_{name}_{os.getpid()}"
    _copy_template(database)
    try:
        filestore = folder / "data" / "filestore" / database
        template = databases.filestore(databases.template("base"))
        if template.exists():
            shutil.copytree(template, filestore, ignore=shutil.ignore_patterns("checklist"))
        filestore.mkdir(parents=True, exist_ok=True)
        source = backup.Source(
            physical=database,
            name="acme",
            uuid="0b5c8a9e-1111-4222-8333-944445555666",
            filestore=filestore,
            staging=folder / "data" / "staging",
            purpose="test",
        )
        tools = PgTools(cluster(), pg_bin())
        case = Case(
            folder, database, tools, repository(folder / "repo"), manifest.new_key(), source
        )
        with tools.cluster.cursor(database) as cr:
            for number in range(files):
                case.attach(f"content {number} of {name}\n".encode() * 50, cr)
        make(case.repo)
        yield case
    finally:
        postgres.drop(database)
