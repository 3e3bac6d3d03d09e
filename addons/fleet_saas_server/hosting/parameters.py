"""System parameters of a hosted database (``ir_config_parameter``), and which are not for others."""

from __future__ import annotations

import re

from psycopg2.extensions import connection, cursor

from .errors import HostingError, sentences

KEY = re.compile(r"[A-Za-z0-9_.:-]{1,200}")
MAX_VALUE = 100_000  # characters
# The database's identity and ours: changing them by hand unseals it, or cuts it off.
DENIED = ("database.", "fleet.")

sentences(
    parameter_denied="The system parameter %(key)s belongs to the server and cannot be set.",
    bad_parameter="%(key)s is not a system parameter: a key is 1 to 200 letters, digits, dots, "
    "hyphens and underscores, its value a text of at most 100000 characters, or null to remove it.",
)


def put(cr: cursor, values: dict[str, str]) -> None:
    """Write parameters, whatever their keys."""
    cr.execute(
        "INSERT INTO ir_config_parameter "
        "(key, value, create_uid, create_date, write_uid, write_date) "
        "SELECT key, value, 1, now() AT TIME ZONE 'UTC', 1, now() AT TIME ZONE 'UTC' "
        "FROM unnest(%s::text[], %s::text[]) AS given (key, value) ON CONFLICT (key) "
        "DO UPDATE SET value = EXCLUDED.value, write_date = EXCLUDED.write_date "
        "WHERE ir_config_parameter.value IS DISTINCT FROM EXCLUDED.value",
        [list(values), list(values.values())],
    )


def check_parameters(values: object) -> dict[str, str | None]:
    """Return ``{key: text, or None to remove it}`` when all of them may be set.

    :raises HostingError: ``bad_parameter``, ``parameter_denied``
    """
    if not isinstance(values, dict):
        raise HostingError("bad_parameter", key="?")
    for key, value in values.items():
        text = value is None or (isinstance(value, str) and 0 < len(value) <= MAX_VALUE)
        if not isinstance(key, str) or not KEY.fullmatch(key) or not text or "\0" in (value or ""):
            raise HostingError("bad_parameter", key=key)
        if key.lower().startswith(DENIED):
            raise HostingError("parameter_denied", key=key)
    return values


def set_parameters(opened: connection, values: dict[str, str | None]) -> None:
    """Write or remove parameters of a hosted database and commit.

    Odoo's processes that have the database open keep the old values until their caches are
    cleared.

    :raises HostingError: ``bad_parameter``, ``parameter_denied``
    """
    checked = check_parameters(values)
    with opened, opened.cursor() as cr:
        put(cr, {key: value for key, value in checked.items() if value is not None})
        gone = [key for key, value in checked.items() if value is None]
        cr.execute("DELETE FROM ir_config_parameter WHERE key = ANY(%s)", [gone])
