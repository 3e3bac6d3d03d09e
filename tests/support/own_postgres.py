"""A PostgreSQL server of a test's own, which it may stop and start: the shared one stays up."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from fleetdev import cluster, databases, postgres

ADMIN_PASSWORD = Path("data") / "admin.password"


class OwnPostgres:
    """A throw-away cluster; within the block the ``PG*`` variables lead to it.

    :param templates: the tests' templates to bring along
    """

    def __init__(self, name: str, *templates: str) -> None:
        # Beside the shared one, where the unprivileged user that runs it can get to.
        self.home = cluster.folder().with_name(f"{cluster.folder().name}-{name}-{os.getpid()}")
        self._names = [databases.template(template) for template in templates]
        self._environment = pytest.MonkeyPatch()

    def __enter__(self) -> OwnPostgres:
        dumps = [self._dump(name) for name in self._names]
        cluster.initialise(self.home)
        port = cluster.start(self.home)
        admin = {"host": "127.0.0.1", "port": port, "user": cluster.ADMIN}
        admin["password"] = (self.home / ADMIN_PASSWORD).read_text()
        self._environment.setenv("PGPORT", str(port))
        postgres.ensure_role(admin, postgres.ROLE)
        for name, dump in zip(self._names, dumps, strict=True):
            self._load(name, dump)
        return self

    def __exit__(self, *_error: object) -> None:
        cluster.halt(self.home, "immediate")
        self._environment.undo()
        shutil.rmtree(self.home, ignore_errors=True)

    def restart(self) -> None:
        """Restart it as an upgrade of the package does: every session is ended."""
        cluster.halt(self.home)
        cluster.start(self.home)

    def _dump(self, name: str) -> bytes:
        """Return the content of a template, which nobody can connect to, from a copy of it."""
        copied = f"{postgres.prefix()}test_dump_{os.getpid()}"
        postgres.copy(name, copied)
        try:
            return self._program("pg_dump", "-Fc", "-Z1", "-d", copied)
        finally:
            postgres.drop(copied)

    def _load(self, name: str, dump: bytes) -> None:
        with postgres.cursor() as cr:
            cr.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        self._program("pg_restore", "--no-owner", "--no-comments", "-d", name, data=dump)
        postgres.close(name)

    def _program(self, name: str, *arguments: str, data: bytes | None = None) -> bytes:
        command = [cluster.binaries() / name, *arguments]
        return subprocess.run(command, input=data, capture_output=True, check=True).stdout
