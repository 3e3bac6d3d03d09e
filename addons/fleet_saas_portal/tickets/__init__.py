"""Sign tickets: each lets one person into one hosted database, once, within a minute.

Plain Python without the ORM. What a ticket looks like is written down in the readme of
``fleet_saas_client``, which reads them.
"""

from .keys import new_key, public_key
from .paths import HOME, local_path
from .ticket import ALGORITHM, LIFE_S, TYPE, Ticket, sign

__all__ = [
    "ALGORITHM",
    "HOME",
    "LIFE_S",
    "TYPE",
    "Ticket",
    "local_path",
    "new_key",
    "public_key",
    "sign",
]
