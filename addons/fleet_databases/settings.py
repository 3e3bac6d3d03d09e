"""What the server's own configuration says to the Databases app.

Every option is read from the ``[options]`` section of odoo.conf, and the environment wins
over the file. None of them can be changed from the interface: whoever administers a
database must not be able to open the machine's inner network or to read its keys.

==========================  ==========================  =====================================
odoo.conf                   environment                 meaning
==========================  ==========================  =====================================
``fleet_secret_keys``       ``FLEET_SECRET_KEYS``       Fernet keys, comma separated; the first
                                                        one encrypts, all of them decrypt
``fleet_allow_private``     ``FLEET_ALLOW_PRIVATE``     ``1``: databases may live on private
                                                        and loopback addresses
``fleet_proxy``             ``FLEET_PROXY``             HTTP proxy for every call
``fleet_odoocom_url``       ``FLEET_ODOOCOM_URL``       where the account's own database list
                                                        is asked for
``fleet_threads``           ``FLEET_THREADS``           databases talked to at the same time
==========================  ==========================  =====================================
"""

import os

from odoo.tools import config

from .remote import NetworkPolicy

DEFAULT_THREADS = 256
MAX_THREADS = 512
ODOOCOM_URL = "https://www.odoo.com"


def get_option(name: str) -> str:
    """Return the option ``name`` (such as ``fleet_proxy``), ``""`` when it is not set."""
    value = os.environ.get(name.upper())
    if value is None:
        value = config.get(name)
    return str(value or "").strip()


def get_flag(name: str) -> bool:
    """Return whether the option ``name`` is switched on."""
    return get_option(name).lower() in ("1", "true", "yes", "on")


def secret_keys() -> tuple[str, ...]:
    """Return the Fernet keys, the one that encrypts first."""
    return tuple(
        key for key in (part.strip() for part in get_option("fleet_secret_keys").split(",")) if key
    )


def network_policy() -> NetworkPolicy:
    """Return the rules under which this server calls other Odoo servers."""
    return NetworkPolicy(
        allow_private=get_flag("fleet_allow_private"),
        proxy=get_option("fleet_proxy") or None,
    )


def odoocom_url() -> str:
    """Return the address of the service that lists an account's own databases."""
    return get_option("fleet_odoocom_url") or ODOOCOM_URL


def threads() -> int:
    """Return how many databases are talked to at the same time.

    The default comes from ``make bench``: a thread that waits for a hanging database costs
    about 50 kB, so there are enough of them for the living never to queue behind the dead.
    """
    text = get_option("fleet_threads")
    return min(max(int(text), 1), MAX_THREADS) if text.isdigit() else DEFAULT_THREADS
