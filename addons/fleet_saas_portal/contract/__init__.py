"""Talk to a hosting server: plain Python, no ORM, nothing trusted.

The contract is written down in ``readme/CONTRACT.md`` of ``fleet_saas_server``.
"""

from .exchange import Exchange, Outcome, Wanted, exchange
from .server import HostingServer
from .values import Capabilities, Hosted, Point, Refusal, Status

__all__ = [
    "Capabilities",
    "Exchange",
    "Hosted",
    "HostingServer",
    "Outcome",
    "Point",
    "Refusal",
    "Status",
    "Wanted",
    "exchange",
]
