"""PostgreSQL's own programs, pg_dump and pg_restore, and whether they fit a server."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import children
from .children import Ended, no_limit
from .errors import HostingError, sentences
from .postgres import Cluster

sentences(
    client_older="pg_dump and pg_restore of PostgreSQL %(client)s cannot work with %(what)s of "
    "PostgreSQL %(server)s. Install the programs of PostgreSQL %(server)s or newer and name their "
    "folder in the server's configuration.",
)


@dataclass(frozen=True)
class PgTools:
    """Where the programs are. ``folder`` "" searches the path."""

    cluster: Cluster
    folder: str = ""

    def path(self, name: str) -> str:
        """Return a program's path, or its name to be searched."""
        return str(Path(self.folder) / name) if self.folder else name

    def version(self, name: str = "pg_dump") -> int:
        """Return a program's major version; pg_dump and pg_restore come together.

        :raises HostingError: ``child_missing``
        """
        output: list[bytes] = []
        children.run([self.path(name), "--version"], env={}, feed=output.append)
        match = re.search(rb"\) (\d+)", b"".join(output))
        if not match:
            raise HostingError("child_missing", program=self.path(name))
        return int(match[1])

    def require(self, server: int, what: str, name: str = "pg_dump") -> int:
        """Return the program's major version, which may not be older than ``server``.

        :raises HostingError: ``client_older``
        """
        client = self.version(name)
        if client < server:
            raise HostingError("client_older", client=client, server=server, what=what)
        return client

    def run(
        self,
        command: Sequence[str],
        *,
        options: str = "",
        beat: Callable[[], None] | None = None,
        remaining_s: Callable[[], float] = no_limit,
    ) -> Ended:
        """Run a program of PostgreSQL as the role of the cluster; ``options`` become PGOPTIONS."""
        env = self.cluster.environment() | ({"PGOPTIONS": options} if options else {})
        return children.run(
            [self.path(command[0]), *command[1:]], env=env, beat=beat, remaining_s=remaining_s
        )


def server_major(cluster: Cluster) -> int:
    """Return the server's major version."""
    with cluster.cursor() as cr:
        cr.execute("SHOW server_version_num")
        return int(cr.fetchone()[0]) // 10000
