"""One round with a server: ask for what is new, then ask how everything open is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from odoo.addons.fleet_databases.remote.errors import RemoteError
from odoo.addons.fleet_databases.remote.values import Access, NetworkPolicy

from .server import MAX_KEYS, HostingServer
from .values import Refusal, Status

MAX_SUBMITS = 50  # a round; the rest goes with the next


@dataclass(frozen=True)
class Wanted:
    """A request that the server may not have heard of yet."""

    key: str
    kind: str
    target: str
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Outcome:
    """What became of one request: a status, or the server's refusal, or that it is unknown there."""

    status: Status | None = None
    refusal: Refusal | None = None


@dataclass
class Exchange:
    """What a round has brought; outcomes that came before ``error`` count.

    :param error: why the server could not be asked the rest
    """

    outcomes: dict[str, Outcome] = field(default_factory=dict)
    error: RemoteError | None = None


def exchange(
    access: Access, policy: NetworkPolicy, wanted: Sequence[Wanted], open_keys: Sequence[str]
) -> Exchange:
    """Submit ``wanted`` and ask for the status of ``open_keys``; never raise for the network.

    :param open_keys: keys that the server has accepted before; one that it does not know any more
        comes back as an empty `Outcome`
    """
    found = Exchange()
    try:
        server = HostingServer(access, policy)
        for each in wanted[:MAX_SUBMITS]:
            found.outcomes[each.key] = _submit(server, each)
        for start in range(0, len(open_keys), MAX_KEYS):
            answers = server.status(open_keys[start : start + MAX_KEYS])
            found.outcomes |= {key: Outcome(status=status) for key, status in answers.items()}
    except RemoteError as error:
        found.error = error
    return found


def _submit(server: HostingServer, wanted: Wanted) -> Outcome:
    try:
        status = server.submit(
            kind=wanted.kind, target=wanted.target, key=wanted.key, arguments=wanted.arguments
        )
    except Refusal as refusal:
        return Outcome(refusal=refusal)
    return Outcome(status=status)
