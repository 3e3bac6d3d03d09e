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
    if not _is_wanted():
        return False
    try:
        from . import patches

        patches.install()
    except Exception as error:
        _logger.critical("The gate cannot be put in, so no database is served: %s", error)
        traceback.print_exc()
        raise SystemExit(1) from error
    return True


def _is_wanted() -> bool:
    from odoo.tools import config

    return MODULE in config["server_wide_modules"]


def refuse_hosted(env) -> None:
    """Refuse to install this addon into a hosted database, whoever asks and in whatever process.

    :raises UserError: in words
    """
    from odoo.exceptions import UserError

    from ..hosting.postgres import Mark

    env.cr.execute(
        "SELECT shobj_description(oid, 'pg_database') FROM pg_database "
        "WHERE datname = current_database()"
    )
    if _is_wanted() or Mark.parse(env.cr.fetchone()[0]):
        raise UserError(
            env._(
                "This is a hosted database: it cannot be a hosting server itself. Install the "
                "module in the server database."
            )
        )
