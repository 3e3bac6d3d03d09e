"""Turn a sealed clone into a live database: exactly what its source had live, and nothing else."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from psycopg2.extensions import connection, cursor

from .errors import HostingError, sentences
from .failpoints import failpoint
from .parameters import put
from .seal import DUMMY_SERVER, RECORD

ENCRYPTIONS = ("none", "starttls", "starttls_strict", "ssl", "ssl_strict")
# A scheduled action that is overdue runs within its own interval, but not later than this.
SPREAD_SECONDS = 1800

sentences(
    staging_stays="This database is a staging copy; it stays neutralised. Clone it as a customer's "
    "database to go live.",
    not_recorded="This database was neutralised by something else, so what has to be turned on is "
    "not known. Clone it again from its source.",
)


@dataclass(frozen=True)
class MailServer:
    """The outgoing mail server that the host gives to a customer, a row of ``ir_mail_server``.

    :param encryption: one of `ENCRYPTIONS`
    :param from_filter: the addresses or domain it may send for, "" for any
    """

    host: str
    port: int = 25
    user: str = ""
    password: str = ""
    encryption: str = "none"
    from_filter: str = ""
    name: str = "Mail server of the host"

    def __post_init__(self) -> None:
        if self.encryption not in ENCRYPTIONS or not 0 < self.port < 65536 or not self.host:
            raise ValueError("not a mail server")

    def __repr__(self) -> str:
        return f"MailServer({self.host!r}, {self.port})"


@dataclass
class Activated:
    """What going live changed; all zero when the database was live already.

    :param crons: how many scheduled actions were turned on
    :param missing_crons: those that were recorded and exist no more
    """

    already: bool
    crons: int = 0
    missing_crons: int = 0
    ribbons: int = 0
    mail_server: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def activate(
    opened: connection, *, base_url: str, mail_server: MailServer | None = None
) -> Activated:
    """Make the sealed clone behind ``opened`` live and commit; the second time changes nothing.

    :param base_url: its own address, written and frozen
    :param mail_server: without one the dummy stays, and no mail leaves
    :raises HostingError: ``staging_stays``, ``not_recorded``
    """
    failpoint("activate.begin")
    try:
        with opened.cursor() as cr:
            done = activate_in(cr, base_url=base_url, mail_server=mail_server)
        failpoint("activate.before_commit")
        opened.commit()
    except BaseException:
        opened.rollback()
        raise
    return done


def activate_in(cr: cursor, *, base_url: str, mail_server: MailServer | None) -> Activated:
    """Do the work of `activate` in the transaction of ``cr``."""
    cr.execute(
        "SELECT key, value FROM ir_config_parameter "
        "WHERE key IN ('database.is_neutralized', %s) FOR UPDATE",
        [RECORD],
    )
    parameters = dict(cr.fetchall())
    if RECORD not in parameters:
        if "database.is_neutralized" in parameters:
            raise HostingError("not_recorded")
        return Activated(already=True)
    record = json.loads(parameters[RECORD])
    if record["purpose"] == "staging":
        raise HostingError("staging_stays")
    crons = _turn_on(cr, record["crons"])
    ribbons = _take_off(cr, record["ribbons"])
    if mail_server:
        give(cr, mail_server)
    put(cr, {"web.base.url": base_url, "web.base.url.freeze": "True"})
    cr.execute(
        "DELETE FROM ir_config_parameter WHERE key IN ('database.is_neutralized', %s)", [RECORD]
    )
    missing = len(record["crons"]) - crons
    return Activated(False, crons, missing, ribbons, mail_server is not None)


def _turn_on(cr: cursor, crons: list[int]) -> int:
    """Turn on the recorded scheduled actions; those overdue since the template was made are spread.

    Many customers come from one template, and each has dozens of them: at random within their
    interval, never all at the same second. One that is due later keeps its time. Odoo's cleaning
    of internal data is spread as well, although sealing leaves it on: it would run in the first
    minute, while the customer looks at the first page.
    """
    cr.execute(
        "UPDATE ir_cron SET active = true, failure_count = 0, first_failure_date = NULL "
        "WHERE id = ANY(%s) AND active IS NOT TRUE",
        [crons],
    )
    turned_on = cr.rowcount
    cr.execute(
        "UPDATE ir_cron SET nextcall = "
        "date_trunc('second', now() AT TIME ZONE 'UTC') + interval '60 seconds' + random() * "
        "least(make_interval(secs => %s), ('1 ' || interval_type)::interval * interval_number) "
        "WHERE active AND nextcall <= now() AT TIME ZONE 'UTC'",
        [SPREAD_SECONDS],
    )
    return turned_on


def _take_off(cr: cursor, views: list[int]) -> int:
    cr.execute("UPDATE ir_ui_view SET active = false WHERE id = ANY(%s) AND active", [views])
    return cr.rowcount


def give(cr: cursor, server: MailServer) -> None:
    """Put the host's mail server in the place of the dummy."""
    cr.execute(
        "DELETE FROM ir_mail_server WHERE name = %s AND smtp_host = 'invalid'", [DUMMY_SERVER]
    )
    cr.execute(
        "INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_user, smtp_pass, "
        "smtp_encryption, from_filter, smtp_authentication, active, sequence, create_uid, "
        "create_date, write_uid, write_date) VALUES (%s, %s, %s, nullif(%s, ''), nullif(%s, ''), "
        "%s, nullif(%s, ''), 'login', true, 10, 1, now() AT TIME ZONE 'UTC', 1, "
        "now() AT TIME ZONE 'UTC')",
        [
            server.name,
            server.host,
            server.port,
            server.user,
            server.password,
            server.encryption,
            server.from_filter,
        ],
    )
