"""What the package has to know of the machine it runs on; plain values, read once."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from .postgres import Cluster

MB = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What the operator keeps free; see ``capacity``.

    :param disk_reserve: bytes that stay free on every file system
    :param disk_factor: a clone's bytes by its source's: the copy and its write-ahead log
    :param memory_reserve: bytes that stay available
    :param connection_reserve: connections for this server's own work and its control process
    :param databases: the most databases with a host name; 0 for no limit
    :param wrong: ``option=value`` of one that cannot be read; nothing is placed then
    """

    disk_reserve: int = 1024 * MB
    disk_factor: float = 2.0
    memory_reserve: int = 256 * MB
    connection_reserve: int = 15
    databases: int = 0
    wrong: str = ""


@dataclass(frozen=True)
class Host:
    """One machine that hosts databases.

    :param server: uuid of the server database; part of every owner mark
    :param server_database: its name; operations are journalled there
    :param data_dir: Odoo's ``data_dir``, shared by the control and the hosted processes
    :param addons_path: the folders of addons that hosted databases are served with
    :param domain: hosted databases answer at ``NAME.domain``
    :param hosted_url: where the hosted Odoo process listens, asked with a Host header
    :param public_url: the address that customers use, ``%s`` stands for the name
    :param odoo: the command line that starts Odoo, without arguments
    :param odoo_config: path of the configuration file for such a child; "" for none
    :param pg_bin: folder of pg_dump, pg_restore and psql; "" to search the path
    :param restore_role: PostgreSQL role for archives of unknown origin
    :param limits: up to where databases are placed on this machine
    :param others: names of databases that somebody else looks after, with ``*`` for anything
    """

    cluster: Cluster
    server: str
    server_database: str
    data_dir: Path
    addons_path: tuple[str, ...]
    domain: str = "localhost"
    hosted_url: str = "http://127.0.0.1:8069"
    public_url: str = "https://%s.localhost"
    odoo: tuple[str, ...] = ("odoo",)
    odoo_config: str = ""
    pg_bin: str = ""
    restic: str = "restic"
    backup_dir: Path | None = None
    restore_role: str = ""
    limits: Limits = Limits()
    others: tuple[str, ...] = ()

    @property
    def work_dir(self) -> Path:
        """Return the folder of what this server keeps besides Odoo's files."""
        return self.data_dir / "fleet"

    @property
    def routes(self) -> Path:
        """Return the file that tells the hosted process which host name is which database."""
        return self.work_dir / "routes.json"

    @property
    def backups(self) -> Path:
        """Return the folder of the local backup repositories."""
        return self.backup_dir or self.work_dir / "backups"

    def is_others(self, name: str) -> bool:
        """Tell whether the operator says that somebody else looks after this database."""
        return any(fnmatchcase(name, pattern) for pattern in self.others)

    def filestore(self, physical: str) -> Path:
        """Return the folder of a database's files, by its name in PostgreSQL."""
        return self.data_dir / "filestore" / physical

    def host_name(self, name: str) -> str:
        """Return the host name of a hosted database."""
        return f"{name}.{self.domain}"

    def url(self, name: str) -> str:
        """Return the address of a hosted database, without a slash at its end."""
        return (self.public_url % name if "%s" in self.public_url else self.public_url).rstrip("/")

    def program(self, name: str) -> str:
        """Return the path of one of PostgreSQL's programs."""
        return str(Path(self.pg_bin) / name) if self.pg_bin else name
