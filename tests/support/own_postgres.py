"""A PostgreSQL server of a test's own, which it may stop and start: the shared one stays up."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from fleetdev import cluster, databases, postgres

ADMIN_PASSWORD = Path("data") / "admin.password"


class OwnPostgres:
    """A throw-away cluster; within the block the ``PG*`` variables lead to it.

    ``names`` has what each of the templates is called in it.

    :param templates: the tests' templates to bring along
    :param apart: only `reached` leads to it, everything else to the shared one
    """

    def __init__(self, name: str, *templates: str, apart: bool = False) -> None:
        # Beside the shared one, where the unprivileged user that runs it can get to.
        self.home = cluster.folder().with_name(f"{cluster.folder().name}-{name}-{os.getpid()}")
        self._templates = templates
        self.names: dict[str, str] = {}
        self._environment = pytest.MonkeyPatch()
        self._apart = apart
        self.port = 0

    def __enter__(self) -> OwnPostgres:
        self.names = {template: databases.template(template) for template in self._templates}
        dumps = {name: self._dump(name) for name in self.names.values()}
        cluster.initialise(self.home)
        self.port = cluster.start(self.home)
        admin = {"host": "127.0.0.1", "port": self.port, "user": cluster.ADMIN}
        admin["password"] = (self.home / ADMIN_PASSWORD).read_text()
        postgres.ensure_role(admin, postgres.ROLE)
        with self.reached():
            for name, dump in dumps.items():
                self._load(name, dump)
        if not self._apart:
            self._environment.setenv("PGPORT", str(self.port))
        return self

    @contextlib.contextmanager
    def reached(self) -> Iterator[None]:
        """Have the ``PG*`` variables lead to it within this block."""
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("PGPORT", str(self.port))
            yield

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
