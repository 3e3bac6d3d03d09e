"""The gate of a process that serves hosted databases: a host name opens its own database only.

A process is such a one when ``fleet_saas_server`` is among its server-wide modules
(``--load=base,rpc,web,fleet_saas_server``); in any other nothing is changed. A process whose gate
cannot be put in does not start: Odoo only logs the exception of a server-wide module, so this
ends the process.
"""

import logging
import traceback

_logger = logging.getLogger(__name__)
MODULE = "fleet_saas_server"


def install_if_wanted() -> bool:
    """Put the gate in where the process is a hosted one; return whether it is in.

    It may be called more than once.

    :raises SystemExit: it does not fit this build of Odoo, or its files cannot be reached
    """
    from odoo.tools import config

    if MODULE not in config["server_wide_modules"]:
        return False
    try:
        from . import patches

        patches.install()
    except Exception as error:
        _logger.critical("The gate cannot be put in, so no database is served: %s", error)
        traceback.print_exc()
        raise SystemExit(1) from error
    return True
