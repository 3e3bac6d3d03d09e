"""A hosting server that shares nothing with the others: its PostgreSQL is its own too.

with OwnHosting("one", bring=("tiny",)) as server, server.reached():
    assert postgres.exists(server.database)
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from .hosting_fleet import HostingFleet
from .own_postgres import OwnPostgres


class OwnHosting(HostingFleet):
    """A hosting server with a throw-away PostgreSQL; within `reached` the ``PG*`` variables lead there.

    :param bring: the tests' templates that its PostgreSQL has, besides that of the server
    :param options: those of `HostingFleet`
    """

    def __init__(self, name: str, *, bring: tuple[str, ...] = (), **options: Any) -> None:
        super().__init__(name, **options)
        self.postgres = OwnPostgres(
            name, options.get("template", "server_users"), *bring, apart=True
        )

    def __enter__(self) -> OwnHosting:
        with contextlib.ExitStack() as stack:
            stack.enter_context(self.postgres)
            # For those of its processes that a test starts again.
            self._environment["PGPORT"] = str(self.postgres.port)
            super().__enter__()
            stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        try:
            super().__exit__(*error)
        finally:
            self.postgres.__exit__(*error)

    def reached(self) -> contextlib.AbstractContextManager[None]:
        """Have the ``PG*`` variables lead to this server's PostgreSQL within the block."""
        return self.postgres.reached()

    def template(self, name: str) -> str:
        """Return what a template was called when it was brought: none is built in here."""
        return self.postgres.names[name]

    def _make(self) -> None:
        with self.reached():
            super()._make()

    def close(self) -> None:
        with self.reached():
            super().close()

    def made(self) -> list[str]:
        with self.reached():
            return super().made()

    def script(self, text: str, *arguments: str, database: str | None = None) -> str:
        with self.reached():
            return super().script(text, *arguments, database=database)

    @contextlib.contextmanager
    def psql(self, database: str | None = None) -> Iterator[Any]:
        with self.reached(), super().psql(database) as cursor:
            yield cursor
