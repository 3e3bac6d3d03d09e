"""What the server's own configuration says to the hosting server.

Every option is read from the ``[options]`` section of odoo.conf, and the environment wins over
the file. None of them can be changed from the interface: whoever administers the server database
must not be able to point it at another folder or program.

============================  =====================================================
odoo.conf (environment in     meaning
capitals)
============================  =====================================================
``fleet_secret_keys``         Fernet keys, comma separated; the first one encrypts
``fleet_domain``              hosted databases answer at ``NAME.domain``
``fleet_public_url``          their address for customers, ``%s`` is the name
``fleet_hosted_url``          where the hosted Odoo process listens
``fleet_backup_dir``          folder of the local backup repositories
``fleet_restic``              path of restic
``fleet_pg_bin``              folder of pg_dump, pg_restore and psql
``fleet_restore_role``        PostgreSQL role for archives of unknown origin
``fleet_disk_reserve``        MB that stay free on every file system, 1024
``fleet_disk_factor``         a new database's room on the disk by its source's, 2
``fleet_memory_reserve``      MB of memory that stay free, 256
``fleet_connection_reserve``  connections to PostgreSQL for this server itself, 15
``fleet_max_databases``       the most databases with a host name, 0 (no limit)
``fleet_other_databases``     databases in PostgreSQL that somebody else looks after, ``*`` in names
``fleet_smtp_host``           the mail server that live databases get; without it they send none
``fleet_smtp_port``           its port, 25 unless given
``fleet_smtp_user``           its login
``fleet_smtp_password``       its password
``fleet_smtp_encryption``     ``none``, ``starttls``, ``starttls_strict``, ``ssl``, ``ssl_strict``
``fleet_smtp_from_filter``    the addresses or domain that it may send for
``fleet_sql_in_actions``      1 lets code in hosted databases run SQL (read by the gate)
============================  =====================================================
"""

import os
import shutil
import sys
from functools import cache
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from odoo.sql_db import connection_info_for
from odoo.tools import config

from .hosting.activate import MailServer
from .hosting.errors import HostingError, sentences
from .hosting.host import MB, Host, Limits
from .hosting.postgres import MAINTENANCE, Cluster

sentences(
    no_secret_key="This server has no encryption key, so passwords can be neither stored nor read. "
    "Set fleet_secret_keys in odoo.conf and restart Odoo.",
    wrong_secret_key="The stored password was encrypted with a key that fleet_secret_keys in "
    "odoo.conf no longer holds. Put the former key back, last in the list.",
    bad_mail_server="The options fleet_smtp_… in odoo.conf describe no mail server (%(reason)s), so "
    "no database can go live. Correct them and restart Odoo.",
)
# The fields of Limits by their options, with the unit of each.
LIMITS = {
    "fleet_disk_reserve": ("disk_reserve", MB),
    "fleet_disk_factor": ("disk_factor", 1),
    "fleet_memory_reserve": ("memory_reserve", MB),
    "fleet_connection_reserve": ("connection_reserve", 1),
    "fleet_max_databases": ("databases", 1),
}
LARGEST = 1 << 40  # also refuses "nan" and "inf"
DSN = ("host", "port", "user", "password", "sslmode")


def get_option(name: str) -> str:
    """Return the option ``name`` (such as ``fleet_domain``), ``""`` when it is not set."""
    value = os.environ.get(name.upper())
    if value is None:
        value = config.get(name)
    return str(value or "").strip()


def cluster() -> Cluster:
    """Return Odoo's own PostgreSQL server."""
    _name, info = connection_info_for(MAINTENANCE)
    return Cluster({key: info[key] for key in DSN if info.get(key)})


def host(server_database: str, server_uuid: str) -> Host:
    """Return what the plain package has to know of this machine."""
    domain = get_option("fleet_domain") or "localhost"
    backup_dir = get_option("fleet_backup_dir")
    return Host(
        cluster=cluster(),
        server=server_uuid,
        server_database=server_database,
        data_dir=Path(config["data_dir"]),
        addons_path=_addons_path(),
        domain=domain,
        hosted_url=get_option("fleet_hosted_url") or f"http://127.0.0.1:{config['http_port']}",
        public_url=get_option("fleet_public_url") or f"https://%s.{domain}",
        odoo=_odoo_command(),
        odoo_config=_configuration_file(),
        pg_bin=get_option("fleet_pg_bin") or config.get("pg_path") or "",
        restic=get_option("fleet_restic") or shutil.which("restic") or "restic",
        backup_dir=Path(backup_dir) if backup_dir else None,
        restore_role=get_option("fleet_restore_role"),
        limits=limits(),
        others=other_databases(),
    )


def other_databases() -> tuple[str, ...]:
    """Return the names of databases that are not to be told as unknown, with ``*`` for anything."""
    names = get_option("fleet_other_databases").split(",")
    return tuple(name.strip() for name in names if name.strip())


def limits() -> Limits:
    """Return up to where databases are placed on this machine.

    An option that is no number in its range refuses every placing, in words, and nothing else:
    what is hosted already goes on.
    """
    found = {}
    for option, (field, unit) in LIMITS.items():
        value = get_option(option)
        if not value:
            continue
        try:
            number = float(value) if field == "disk_factor" else int(value)
        except ValueError:
            number = -1
        if not 0 <= number < LARGEST:
            return Limits(wrong=f"{option}={value}")
        found[field] = number * unit
    return Limits(**found)


def mail_server() -> dict[str, str | int] | None:
    """Return the mail server that this host gives its customers, without its password.

    The values are those of ``hosting.activate.MailServer``; None when the host gives none.
    """
    given = {
        key: value
        for key in ("host", "port", "user", "encryption", "from_filter")
        if (value := get_option(f"fleet_smtp_{key}"))
    }
    if "host" not in given:
        return None
    try:
        found = given | {"port": int(given.get("port", 25))}
        MailServer(**found)
    except ValueError as error:
        raise HostingError("bad_mail_server", reason=str(error)) from error
    return found


@cache
def _addons_path() -> tuple[str, ...]:
    import odoo.addons

    return tuple(odoo.addons.__path__)


def _odoo_command() -> tuple[str, ...]:
    return (sys.executable, "-m", "odoo")


def _configuration_file() -> str:
    path = config["config"]
    return path if path and os.path.exists(path) else ""


def encrypt(text: str) -> str:
    """Return ``text`` encrypted with the first key."""
    return _fernet().encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Return the text inside ``token``; raise ``wrong_secret_key``."""
    try:
        return _fernet().decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise HostingError("wrong_secret_key") from error


def _fernet() -> MultiFernet:
    keys = [key.strip() for key in get_option("fleet_secret_keys").split(",") if key.strip()]
    if not keys:
        raise HostingError("no_secret_key")
    return MultiFernet([Fernet(key) for key in keys])
