"""What a database that strangers filled may hold: Odoo's tables, and nothing that runs by itself.

Once it is ours, everything in it runs as our role, which owns every other database: a trigger, a
rule, an operator or a view's expression would be the stranger's hand there. Odoo makes tables,
sequences, indexes, constraints and plain views; whatever else is found is named and refused.
Only catalogs are read, with a search path that the stranger has no part in.
"""

from __future__ import annotations

import re

import psycopg2.errors
from psycopg2.extensions import cursor

from .errors import HostingError, sentences

# PostgreSQL's FirstNormalObjectId: what initdb made is below, access/transam.h.
_FIRST = 16384
# Functions that act on the server, on other sessions, or that run SQL given as text; the last one
# tells what is written on other databases.
_ACTING = re.compile(
    r"\b(pg_(?!catalog\b)\w+|lo_\w+|dblink\w*|set_config|\w+_to_xml\w*|ts_stat|ts_rewrite"
    r"|setval|currtid\w*|txid_\w+|has_\w+_privilege|shobj_description)\s*\(",
    re.IGNORECASE,
)
# What a view shows of the server: its roles, other databases, what other sessions are doing.
_READING = re.compile(r"\b(pg_(?!catalog\b)\w+|information_schema)\b", re.IGNORECASE)
_QUOTED = re.compile(r"'(?:[^']|'')*'")
# What each catalog's rows are called, the column with their name, and which rows do not matter.
_OBJECTS = (
    ("function", "pg_proc", "proname", ""),
    ("trigger", "pg_trigger", "tgname", "AND NOT o.tgisinternal"),
    ("rule", "pg_rewrite", "rulename", "AND o.rulename <> '_RETURN'"),
    ("row policy", "pg_policy", "polname", ""),
    # Without a policy it hides every row: from the seal, from what checks it, and from pg_dump.
    ("row security of", "pg_class", "relname", "AND (o.relrowsecurity OR o.relforcerowsecurity)"),
    ("event trigger", "pg_event_trigger", "evtname", ""),
    ("operator", "pg_operator", "oprname", ""),
    ("operator class", "pg_opclass", "opcname", ""),
    ("operator family", "pg_opfamily", "opfname", ""),
    ("cast", "pg_cast", "casttarget::regtype", ""),
    ("conversion", "pg_conversion", "conname", ""),
    ("language", "pg_language", "lanname", ""),
    ("foreign data wrapper", "pg_foreign_data_wrapper", "fdwname", ""),
    ("foreign server", "pg_foreign_server", "srvname", ""),
    ("publication", "pg_publication", "pubname", ""),
    ("large object", "pg_largeobject_metadata", "oid", ""),
    ("relation of a kind Odoo does not make", "pg_class", "relname", "AND o.relkind !~ '[riStvmcpI]'"),
    ("schema", "pg_namespace", "nspname", "AND o.nspname !~ '^pg_(toast_)?temp_'"),
    ("type", "pg_type", "typname", "AND o.typtype NOT IN ('c', 'b')"),
    ("base type", "pg_type", "typname", "AND o.typtype = 'b' AND o.typelem = 0"),
)  # fmt: skip
_EXPRESSIONS = """
    SELECT 'default of ' || c.relname, pg_get_expr(d.adbin, d.adrelid)
      FROM pg_attrdef d JOIN pg_class c ON c.oid = d.adrelid
    UNION ALL
    SELECT 'constraint ' || conname, pg_get_constraintdef(oid)
      FROM pg_constraint WHERE contype = 'c' AND oid >= %(first)s
    UNION ALL
    SELECT 'index ' || c.relname, pg_get_indexdef(c.oid)
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
     WHERE c.oid >= %(first)s AND (i.indexprs IS NOT NULL OR i.indpred IS NOT NULL)
    UNION ALL
    SELECT 'statistics ' || stxname, pg_get_statisticsobjdef(oid)
      FROM pg_statistic_ext WHERE oid >= %(first)s
    UNION ALL
    SELECT 'view ' || relname, pg_get_viewdef(oid)
      FROM pg_class WHERE relkind IN ('v', 'm') AND oid >= %(first)s"""
_SHOWN = 5
_VERSION = re.compile(r"\d+\.\d+")

sentences(
    foreign_objects="The archive is refused: its database holds things that Odoo does not make and "
    "that would run with this server's rights: %(objects)s. Remove them and make a new archive.",
    foreign_not_odoo="The archive is refused: its database is no Odoo database (%(reason)s).",
)


def check(cr: cursor, *, odoo: str) -> None:
    """Refuse a database that holds more than Odoo's own kinds of objects.

    ``cr`` is a cursor in the database; its session's search path is changed.

    :param odoo: the major version that the module base must have
    :raises HostingError: ``foreign_objects``, ``foreign_not_odoo``, ``archive_version``
    """
    cr.execute("SET search_path = pg_catalog")
    found = [*_objects(cr), *_expressions(cr)]
    if found:
        shown = ", ".join(found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise HostingError("foreign_objects", objects=shown + more)
    _check_odoo(cr, odoo)


def _objects(cr: cursor) -> list[str]:
    """Return the objects that somebody made, other than by an extension of PostgreSQL's."""
    found = []
    for label, catalog, column, condition in _OBJECTS:
        cr.execute(
            f"""SELECT o.{column}::text FROM {catalog} o
                 WHERE o.oid >= %s {condition}
                   AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.deptype = 'e'
                                      AND d.classid = %s::regclass AND d.objid = o.oid)
                 ORDER BY 1 LIMIT 100""",
            [_FIRST, catalog],
        )
        found += [f"{label} {name}" for (name,) in cr.fetchall()]
    cr.execute(
        "SELECT subname FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid "
        "WHERE d.datname = current_database()"
    )
    return found + [f"subscription {name}" for (name,) in cr.fetchall()]


def _expressions(cr: cursor) -> list[str]:
    cr.execute(_EXPRESSIONS, {"first": _FIRST})
    found = []
    for what, text in cr.fetchall():
        if match := _ACTING.search(text or ""):
            found.append(f"{what} with {match[1]}()")
        elif what.startswith("view ") and (match := _READING.search(_QUOTED.sub("", text))):
            found.append(f"{what} of {match[1]}")
    return found


def _check_odoo(cr: cursor, odoo: str) -> None:
    """Read the version in the database; only now, as these tables could have been views."""
    cr.execute(
        "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE nspname = 'public' AND relkind = 'r' "
        "AND relname IN ('ir_module_module', 'ir_attachment', 'res_users', 'ir_config_parameter')"
    )
    if len(cr.fetchall()) < 4:
        raise HostingError("foreign_not_odoo", reason="tables of the module base are missing")
    try:
        cr.execute(
            "SELECT latest_version::text FROM public.ir_module_module WHERE name::text = 'base'"
        )
    except psycopg2.errors.UndefinedColumn as error:
        reason = str(error).partition("\n")[0]
        raise HostingError("foreign_not_odoo", reason=reason) from error
    row = cr.fetchone()
    found = _VERSION.match((row and row[0]) or "")
    if not found or found[0] != odoo:
        raise HostingError("archive_version", found=row and row[0], wanted=odoo)
