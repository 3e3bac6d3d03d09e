"""What a hosted database uses, measured from outside: by SQL and on disk, Odoo is never loaded."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

import psycopg2
import psycopg2.errors
from psycopg2.extensions import cursor

from . import files
from .errors import HostingError, Retryable, sentences
from .postgres import Cluster

STATEMENT_S = 20
ACTIVE_DAYS = 30
# Odoo forgets a session after a week without a request (odoo/http.py, SESSION_LIFETIME).
SESSION_S = 7 * 86400
_SESSION_BYTES = 1 << 20

sentences(
    usage_not_odoo="The database %(name)s is not an Odoo database (%(reason)s), so its usage cannot be "
    "measured.",
    usage_slow="Measuring the usage of %(name)s took longer than %(seconds)s seconds; "
    "it is tried again later.",
)


@dataclass(frozen=True)
class Usage:
    """The usage of one database. Bytes are bytes; dates are UTC.

    :param internal_users: active users of the back office, without Odoo's own
    :param portal_users: active users of the portal
    :param other_users: active shared users of neither kind; public users count nowhere
    :param active_users: of the internal ones, those seen in the last `ACTIVE_DAYS` days
    :param attachments: rows with content, and what they say their content is large
    :param sessions: of logged-in users, with a request in the last week
    :param requests: answered on the day measured
    :param failing_crons: active scheduled actions whose last run failed
    :param failed_mails: mails that could not be sent and were not cancelled
    """

    internal_users: int
    portal_users: int
    other_users: int
    active_users: int
    last_login: datetime | None
    database_bytes: int
    filestore_files: int
    filestore_bytes: int
    attachments: int
    attachment_bytes: int
    sessions: int
    requests: int
    connections: int
    failing_crons: int
    failed_mails: int


def measure(
    cluster: Cluster,
    database: str,
    filestore: Path,
    *,
    sessions: Mapping[str, int],
    answered: Mapping[str, int],
) -> Usage:
    """Measure one database by its name in PostgreSQL.

    :param sessions: by database, of `sessions_by_database`: one walk for all of them
    :param answered: requests by database, of ``counts.requests_of``
    :raises HostingError: ``no_database``, ``usage_not_odoo``
    :raises Retryable: ``usage_slow``, ``postgres_down``
    """
    try:
        with cluster.cursor(database) as cr:
            cr.execute("SET statement_timeout = %s", [f"{STATEMENT_S * 1000:.0f}ms"])
            cr.execute("SET default_transaction_read_only = on")
            found = _users(cr) | _sizes(cr, database) | _trouble(cr)
    except psycopg2.errors.QueryCanceled as error:
        raise Retryable("usage_slow", name=database, seconds=STATEMENT_S) from error
    except psycopg2.OperationalError as error:
        raise Retryable("postgres_down", reason=str(error)) from error
    except (psycopg2.Error, TypeError) as error:
        # People may have changed anything inside: that holds up nobody else's figures.
        reason = str(error).partition("\n")[0]
        raise HostingError("usage_not_odoo", name=database, reason=reason) from error
    count, size = files.usage(filestore)
    return Usage(
        filestore_files=count,
        filestore_bytes=size,
        sessions=sessions.get(database, 0),
        requests=answered.get(database, 0),
        **found,
    )


def sessions_by_database(sessions_dir: Path) -> Counter[str]:
    """Return how many live sessions of logged-in users each database has.

    Odoo keeps a session as a JSON file ``<sessions_dir>/<aa>/<key>`` that names its database
    (odoo/http.py, FilesystemSessionStore); a renewed one stays a moment with ``next_sid``.
    """
    total: Counter[str] = Counter()
    oldest = time.time() - SESSION_S
    for folder in _folders(sessions_dir):
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                database = _session_database(entry, oldest)
                if database:
                    total[database] += 1
    return total


def _folders(sessions_dir: Path) -> list[str]:
    try:
        with os.scandir(sessions_dir) as entries:
            return [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []


def _session_database(entry: os.DirEntry[str], oldest: float) -> str | None:
    # Sessions come and go while they are counted; one that a worker is writing is counted later.
    with contextlib.suppress(OSError, ValueError, AttributeError):
        status = entry.stat(follow_symlinks=False)
        if status.st_mtime < oldest or status.st_size > _SESSION_BYTES:
            return None
        with open(entry.path, encoding="utf-8") as file:
            session = json.load(file)
        if session.get("uid") and "next_sid" not in session and isinstance(session["db"], str):
            return session["db"]
    return None


_KINDS = """
    WITH kinds AS (
        SELECT d.name AS kind, r.uid
          FROM ir_model_data d JOIN res_groups_users_rel r ON r.gid = d.res_id
         WHERE d.module = 'base' AND d.model = 'res.groups'
           AND d.name IN ('group_portal', 'group_public')
    ), people AS (
        SELECT u.id,
               CASE WHEN NOT COALESCE(u.share, false) THEN 'internal'
                    WHEN u.id IN (SELECT uid FROM kinds WHERE kind = 'group_public') THEN 'public'
                    WHEN u.id IN (SELECT uid FROM kinds WHERE kind = 'group_portal') THEN 'portal'
                    ELSE 'other' END AS kind
          FROM res_users u
         WHERE u.active AND u.login <> '__system__'
    ), seen AS (
        SELECT create_uid AS uid, create_date AS at FROM res_users_log
        UNION ALL
        SELECT user_id, last_activity FROM res_device_log
    )
    SELECT count(*) FILTER (WHERE kind = 'internal'),
           count(*) FILTER (WHERE kind = 'portal'),
           count(*) FILTER (WHERE kind = 'other'),
           count(*) FILTER (WHERE kind = 'internal' AND EXISTS (
               SELECT 1 FROM seen WHERE seen.uid = people.id
                  AND seen.at > now() AT TIME ZONE 'UTC' - make_interval(days => %s)))
      FROM people"""


def _users(cr: cursor) -> dict[str, int | datetime | None]:
    cr.execute(_KINDS, [ACTIVE_DAYS])
    names = ("internal_users", "portal_users", "other_users", "active_users")
    found = dict(zip(names, cr.fetchone(), strict=True))
    # Odoo keeps the newest login of each user (res.users.log, _gc_user_logs).
    cr.execute("SELECT max(create_date) FROM res_users_log")
    last = cr.fetchone()[0]
    return found | {"last_login": last and last.replace(tzinfo=timezone.utc)}


def _sizes(cr: cursor, database: str) -> dict[str, int]:
    cr.execute(
        """
        SELECT pg_database_size(%s),
               (SELECT count(*) FROM ir_attachment WHERE type = 'binary' AND file_size > 0),
               (SELECT COALESCE(sum(file_size), 0)::bigint FROM ir_attachment),
               (SELECT count(*) FROM pg_stat_activity
                 WHERE datname = %s AND pid <> pg_backend_pid())""",
        [database, database],
    )
    names = ("database_bytes", "attachments", "attachment_bytes", "connections")
    return dict(zip(names, cr.fetchone(), strict=True))


def _trouble(cr: cursor) -> dict[str, int]:
    cr.execute("SELECT count(*) FROM ir_cron WHERE active AND failure_count > 0")
    found = {"failing_crons": cr.fetchone()[0], "failed_mails": 0}
    cr.execute("SELECT to_regclass('mail_mail')")
    if cr.fetchone()[0]:
        cr.execute("SELECT count(*) FROM mail_mail WHERE state = 'exception'")
        found["failed_mails"] = cr.fetchone()[0]
    return found
