"""One hosting server: the four methods of its contract, over JSON-2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from odoo.addons.fleet_databases.remote.database import check_access
from odoo.addons.fleet_databases.remote.deadline import Deadline
from odoo.addons.fleet_databases.remote.errors import Malformed, Rejected, ServerError
from odoo.addons.fleet_databases.remote.json2 import Json2
from odoo.addons.fleet_databases.remote.transport import Transport
from odoo.addons.fleet_databases.remote.values import Access, NetworkPolicy

from . import values
from .values import Capabilities, Hosted, Refusal, Status

MODEL = "saas.host"
MAX_KEYS = 500  # of one status call, as the contract says
CONFLICT = 409


class HostingServer:
    """A hosting server. Not for use by several threads at once.

    Every method is one call of at most ``policy.timeout`` seconds, and raises a ``RemoteError``
    when it got no answer that can be used: then nobody knows whether the server heard it.
    """

    def __init__(self, access: Access, policy: NetworkPolicy) -> None:
        check_access(access)
        self.policy = policy
        self._transport = Transport(access.url, policy, access.ca)
        self._json2 = Json2(self._transport, access)

    def capabilities(self) -> Capabilities:
        """Return what the server can do and how much room it has."""
        return values.capabilities(self._call("capabilities"), self._host)

    def inventory(self) -> tuple[Hosted, ...]:
        """Return every database that the server hosts."""
        answer = self._call("inventory")
        rows = answer.get("databases") if isinstance(answer, dict) else None
        if not isinstance(rows, list):
            raise Malformed(host=self._host)
        return tuple(values.hosted(row, self._host) for row in rows)

    def submit(self, *, kind: str, target: str, key: str, arguments: Mapping[str, Any]) -> Status:
        """Ask for an operation; the same key again gives the same operation.

        :raises Refusal: the server refuses this request for good
        """
        asked = {"kind": kind, "target": target, "key": key, "arguments": dict(arguments)}
        try:
            answer = self._call("submit", **asked)
        except Rejected as error:
            raise Refusal(str(error.params["message"])) from error
        except ServerError as error:
            if error.params.get("status") != CONFLICT:
                raise
            raise Refusal(str(error), "key_reused") from error
        found = values.status(answer, self._host)
        if (found.key, found.kind, found.target) != (key, kind, target):
            raise Malformed(host=self._host)
        return found

    def status(self, keys: Sequence[str]) -> dict[str, Status | None]:
        """Return the status by key, None for a key that the server never accepted.

        :raises Malformed: it has answered with another operation's
        """
        answer = self._call("status", keys=list(keys[:MAX_KEYS]))
        if not isinstance(answer, dict):
            raise Malformed(host=self._host)
        found = {
            key: values.status(answer[key], self._host) if answer.get(key) else None
            for key in keys[:MAX_KEYS]
        }
        if any(status and status.key != key for key, status in found.items()):
            raise Malformed(host=self._host)
        return found

    @property
    def _host(self) -> str:
        return self._transport.authority

    def _call(self, method: str, **arguments: Any) -> Any:
        deadline = Deadline(self.policy.timeout)
        return self._json2.call(deadline, MODEL, method, arguments=arguments, context={})
