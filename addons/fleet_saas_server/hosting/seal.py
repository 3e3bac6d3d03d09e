"""Make a hidden clone inert and its own: everything in one transaction, by plain SQL.

What is switched off is what Odoo's own neutralisation switches off (every installed module's
``data/neutralize.sql``); what is renewed or removed beyond that are `seal_rules`. Before, what
was live is written into the clone itself, so that `activate` can turn on exactly that.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid as uuids
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection, cursor

from . import seal_report
from .errors import HostingError, sentences
from .failpoints import failpoint
from .modules import INSTALLED_STATES, AddonsPath
from .seal_plan import HOLDERS, Column, Plan, plan
from .seal_rules import IDENTITY, RULES, Rule

RECORD = "fleet.sealed"  # the system parameter that remembers what was live
PURPOSES = ("customer", "trial", "staging")
DUMMY_SERVER = "neutralization - disable emails"  # base/data/neutralize.sql

sentences(
    not_odoo="The database %(name)s holds no Odoo: its table %(table)s is missing.",
    neutralize_failed="Switching off what the module %(module)s does in a copy failed: %(reason)s. "
    "The copy is thrown away; repair data/neutralize.sql of that module.",
    neutralize_commits="A neutralize.sql of the installed modules ended the transaction, so a copy "
    "could be seen half sealed. The copy is thrown away; take COMMIT out of that file.",
    seal_failed="Removing what the copy must not share with its source failed: %(reason)s. "
    "The copy is thrown away.",
)


@dataclass(frozen=True)
class SourceFacts:
    """What the source had, as far as it must differ in the clone; holds no secret.

    :param uuid: its ``database.uuid``
    :param secret: SHA-256 of its ``database.secret``
    :param tokens: ``table.column`` of the renewed tokens → MD5 over their least and greatest
    """

    uuid: str
    secret: str
    tokens: dict[str, str] = field(default_factory=dict)


@dataclass
class Before:
    """What one look at the clone showed before anything was changed."""

    modules: list[str]
    columns: str
    crons: list[int]
    inactive_views: list[int]
    live: dict[str, int]
    source: SourceFacts
    neutralized: bool
    record: dict[str, Any]


@dataclass
class SealReport:
    """What sealing did, in sentences a person can read; `to_dict` is stored with the operation.

    :param switched_off: ``{"what", "count", "says"}``: live before, inert or gone now
    :param left_on: the same, for what stays live on purpose
    :param unknown: the same, for what no rule knows: somebody has to look
    """

    identity: str
    purpose: str
    source: SourceFacts
    crons: list[int]
    ribbons: list[int]
    switched_off: list[dict[str, Any]] = field(default_factory=list)
    left_on: list[dict[str, Any]] = field(default_factory=list)
    unknown: list[dict[str, Any]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)

    def words(self) -> dict[str, list[dict[str, Any]]]:
        """Return the three lists."""
        return {name: getattr(self, name) for name in ("switched_off", "left_on", "unknown")}


def seal(
    opened: connection,
    *,
    addons: AddonsPath,
    identity: str | uuids.UUID,
    purpose: str,
    keep_logins: bool = False,
    rules: Iterable[Rule] = RULES,
    source: str = "",
) -> SealReport:
    """Seal the hidden clone behind ``opened`` and commit; nothing of it is kept on any error.

    A template version that was sealed before it was closed (`prepare`) makes this short: only what
    no two clones may share is renewed. Whether that was enough is for `verify` to say, not for us.

    :param source: name of the closed template version that was copied: what is the same in all
        its clones is looked up once
    :param identity: the clone's ``database.uuid`` from now on
    :param purpose: ``customer`` or ``trial`` (activated later), or ``staging`` (stays inert)
    :param keep_logins: leave passwords, for a staging copy that its users shall log in to; API
        keys, tokens, second factors and devices go all the same
    :raises HostingError: ``module_missing``, ``not_odoo``, ``neutralize_failed``,
        ``neutralize_commits``, ``seal_failed``
    """
    failpoint("seal.begin")
    try:
        with opened.cursor() as cr:
            report = seal_in(
                cr,
                addons=addons,
                identity=identity,
                purpose=purpose,
                keep_logins=keep_logins,
                rules=rules,
                source=source,
            )
        failpoint("seal.before_commit")
        opened.commit()
    except BaseException:
        opened.rollback()
        raise
    failpoint("seal.end")
    return report


def seal_in(
    cr: cursor,
    *,
    addons: AddonsPath,
    identity: str | uuids.UUID,
    purpose: str,
    keep_logins: bool = False,
    rules: Iterable[Rule] = RULES,
    source: str = "",
) -> SealReport:
    """Do the work of `seal` in the transaction of ``cr``, which the caller commits."""
    if purpose not in PURPOSES or (keep_logins and purpose != "staging"):
        raise ValueError(f"{purpose} is no purpose of a sealed clone, or may not keep logins")
    known = _KNOWN.get(source) if source else None
    before = look(cr, known.columns if known else None)
    queries = [(name, text) for name in before.modules if (text := addons.neutralize_sql(name))]
    todo = plan(before.columns, tuple(rules), keep_logins)
    if known:
        before.source = known.source
    else:
        # All tokens of the standard rules, so that a check finds those that no rule renewed.
        renewed = plan(before.columns, RULES, False).renewed
        before.source = _with_tokens(cr, before.source, renewed)
        if source:
            _remember_source(source, before)
    if _is_prepared(before) and rules is RULES and not keep_logins:
        return _renew(cr, before, str(identity), purpose, todo)
    _neutralize(cr, queries)
    failpoint("seal.neutralised")
    report = SealReport(str(identity), purpose, before.source, _crons(before), [])
    counts = _run(cr, before, report, todo)
    neutralizing = [module for module, _text in queries]
    seal_report.fill(cr, report, before, todo, counts, neutralizing, keep_logins)
    return report


# ------------------------------------------------------------------------------ what is the same


@dataclass(frozen=True)
class _Known:
    """What every clone of one closed version has: its columns, and what must differ from it."""

    columns: str
    source: SourceFacts


_KNOWN: dict[str, _Known] = {}
_KNOWN_VERSIONS = 32


def _remember_source(source: str, before: Before) -> None:
    while len(_KNOWN) >= _KNOWN_VERSIONS:
        _KNOWN.pop(next(iter(_KNOWN)))
    _KNOWN[source] = _Known(before.columns, before.source)


def prepare(opened: connection, *, addons: AddonsPath, identity: str | uuids.UUID) -> SealReport:
    """Seal a template version that is about to be closed, so that its clones need little more.

    Its report goes along in the record, for the reports of the clones.

    :raises HostingError: as `seal`
    """
    try:
        with opened.cursor() as cr:
            report = seal_in(cr, addons=addons, identity=identity, purpose="customer")
            remember(cr, report, prepared=report.words())
        failpoint("seal.prepared")
        opened.commit()
    except BaseException:
        opened.rollback()
        raise
    return report


def _is_prepared(before: Before) -> bool:
    """Tell whether a version was sealed as a whole and nothing in it was turned on since."""
    live = before.crons or before.live["mail server"]
    return bool(before.record.get("prepared")) and before.neutralized and not live


def _renew(cr: cursor, before: Before, identity: str, purpose: str, todo: Plan) -> SealReport:
    """Renew what no two clones may share; the rest was sealed with the template."""
    failpoint("seal.neutralised")
    report = SealReport(identity, purpose, before.source, _crons(before), [])
    _settings(cr, report, before)
    try:
        cr.execute(";\n".join(filter(None, [todo.renewal, _IDENTITY])))
    except psycopg2.Error as error:
        raise HostingError("seal_failed", reason=error.diag.message_primary) from error
    report.ribbons = before.record.get("ribbons", [])
    for name, entries in before.record["prepared"].items():
        setattr(report, name, entries)
    remember(cr, report)
    return report


# ------------------------------------------------------------------------------------- looking

# The commit need not reach the disk by itself: whatever makes the clone visible later is flushed
# after it. Names of columns are told apart in Python: PostgreSQL's regular expressions take 5 us
# each, and a database has 10,000 columns.
_COLUMNS = """
       (SELECT coalesce(json_agg(json_build_array(c.relname, a.attname, t.typname, a.attnotnull,
                        CASE WHEN a.atttypmod > 4 THEN a.atttypmod - 4 END)
                        ), '[]')::text
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
          JOIN pg_type t ON t.oid = a.atttypid
         WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
           AND a.attnum > 0 AND NOT a.attisdropped
           AND (c.relname = ANY(%(tables)s) OR a.atttypid = ANY(%(types)s::regtype[])))"""
_LOOK = f"""
SET LOCAL jit = off;
SET LOCAL synchronous_commit = off;
SELECT ARRAY(SELECT name::text FROM ir_module_module WHERE state = ANY(%(states)s)
              ORDER BY name <> 'base', id),
       %%s,
       ARRAY(SELECT id FROM ir_cron WHERE active AND id NOT IN (
             SELECT res_id FROM ir_model_data
              WHERE model = 'ir.cron' AND name = 'autovacuum_job' AND module = 'base') ORDER BY id),
       ARRAY(SELECT id FROM ir_ui_view WHERE active IS NOT TRUE),
       (SELECT json_object_agg(key, value) FROM ir_config_parameter
         WHERE key IN ('database.uuid', 'database.secret', 'database.is_neutralized', '{RECORD}')),
       (SELECT count(*) FROM ir_mail_server WHERE active AND name <> '{DUMMY_SERVER}')
"""


def look(cr: cursor, columns: str | None = None) -> Before:
    """Return what is in the clone before anything is changed, by one query.

    :param columns: what the query would find of the columns, if that is known
    """
    tables = sorted({*(rule.table for rule in RULES), *seal_report.LOOKED_AT})
    try:
        query = _LOOK.replace("%%s", "NULL" if columns else _COLUMNS)
        cr.execute(
            query, {"states": list(INSTALLED_STATES), "tables": tables, "types": list(HOLDERS)}
        )
    except psycopg2.errors.UndefinedTable as error:
        table = re.search(r'relation "(\w+)"', str(error))
        raise HostingError(
            "not_odoo",
            name=cr.connection.info.dbname,
            table=table[1] if table else "ir_module_module",
        ) from error
    modules, found, crons, views, parameters, servers = cr.fetchone()
    parameters = parameters or {}
    secret = parameters.get("database.secret", "")
    return Before(
        modules=modules,
        columns=columns or found,
        crons=crons,
        inactive_views=views,
        live={"mail server": servers},
        source=SourceFacts(
            parameters.get("database.uuid", ""), hashlib.sha256(secret.encode()).hexdigest()
        ),
        neutralized="database.is_neutralized" in parameters,
        record=json.loads(parameters.get(RECORD, "{}")),
    )


def _crons(before: Before) -> list[int]:
    """Return what was live: now, and when the source itself was sealed and not yet activated."""
    return sorted({*before.crons, *before.record.get("crons", ())})


def token_digest(column: sql.Composable, table: sql.Composable) -> sql.Composed:
    """Return the expression that is compared between source and clone, NULL without tokens."""
    return sql.SQL("(SELECT md5(min({0}) || max({0})) FROM {1})").format(column, table)


def _with_tokens(cr: cursor, source: SourceFacts, columns: tuple[Column, ...]) -> SourceFacts:
    """Add what the tokens are that will be renewed, so that others can check that they were."""
    if not columns:
        return source
    digests = [
        token_digest(sql.Identifier(column.name), sql.Identifier(column.table))
        for column in columns
    ]
    cr.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(digests)))
    tokens = {
        column.key: digest
        for column, digest in zip(columns, cr.fetchone(), strict=True)
        if digest is not None
    }
    return SourceFacts(source.uuid, source.secret, tokens)


# -------------------------------------------------------------------------------------- running


def _neutralize(cr: cursor, queries: list[tuple[str, str]]) -> None:
    """Run every module's neutralize.sql at once; one by one only to name the one that fails."""
    cr.execute("SELECT pg_current_xact_id()::text")
    number = cr.fetchone()[0]
    # A second neutralisation would add a second dummy server.
    again = f"DELETE FROM ir_mail_server WHERE name = '{DUMMY_SERVER}' AND smtp_host = 'invalid'"
    try:
        cr.execute("\n;\n".join([again, *(text for _module, text in queries)]))
    except psycopg2.Error as error:
        raise _named(cr, queries, error) from error
    cr.execute("SELECT pg_current_xact_id()::text")
    if cr.fetchone()[0] != number:
        raise HostingError("neutralize_commits")


def _named(cr: cursor, queries: list[tuple[str, str]], error: psycopg2.Error) -> HostingError:
    """Return the error with the name of the module whose statements fail, tried in turn."""
    cr.connection.rollback()
    for module, text in queries:
        try:
            cr.execute(text)
        except psycopg2.Error as failed:
            cr.connection.rollback()
            reason = failed.diag.message_primary
            return HostingError("neutralize_failed", module=module, reason=reason)
    cr.connection.rollback()
    return HostingError("neutralize_failed", module="base", reason=error.diag.message_primary)


def _run(cr: cursor, before: Before, report: SealReport, todo: Plan) -> list[int]:
    """Send every change in one message; return how many rows each statement changed."""
    _settings(cr, report, before)
    names = [f"fleet_seal.n{number}" for number in range(len(todo.statements))]
    result = cr.mogrify(_RESULT, [names, before.inactive_views]).decode()
    try:
        cr.execute(";\n".join(filter(None, [todo.batch, _IDENTITY, result])))
    except psycopg2.Error as error:
        raise HostingError("seal_failed", reason=error.diag.message_primary) from error
    counts, ribbons = cr.fetchone()
    report.ribbons = sorted({*ribbons, *before.record.get("ribbons", ())})
    remember(cr, report)
    return counts


def _settings(cr: cursor, report: SealReport, before: Before) -> None:
    """Let the statements know the identities."""
    cr.execute(
        "SELECT set_config('fleet_seal.identity', %s, true), set_config('fleet_seal.source', %s, true)",
        [report.identity, before.source.uuid],
    )


_RESULT = """
SELECT ARRAY(SELECT current_setting(name)::int
               FROM unnest(%s::text[]) WITH ORDINALITY AS n (name, i) ORDER BY i),
       ARRAY(SELECT id FROM ir_ui_view
              WHERE active AND (id = ANY(%s) OR key LIKE '%%.neutralize\\_%%') ORDER BY id)
"""

# A uuid, a secret (244 bits of PostgreSQL's strong random numbers), a birthday, and the address
# of a database that nobody has opened yet.
_IDENTITY = f"""
INSERT INTO ir_config_parameter (key, value, create_uid, create_date, write_uid, write_date)
SELECT key, value, 1, now() AT TIME ZONE 'UTC', 1, now() AT TIME ZONE 'UTC'
  FROM (VALUES ('database.uuid', {IDENTITY}),
               ('database.secret', gen_random_uuid()::text || gen_random_uuid()::text),
               ('database.create_date', to_char(now() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')),
               ('web.base.url', 'http://localhost:8069')) AS fresh (key, value)
    ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value, write_date = EXCLUDED.write_date
"""


def remember(cr: cursor, report: SealReport, prepared: dict[str, Any] | None = None) -> None:
    """Write what was live into the clone itself.

    :param prepared: the report's words, in a template version that is sealed before it is closed
    """
    value = {
        "identity": report.identity,
        "purpose": report.purpose,
        "crons": report.crons,
        "ribbons": report.ribbons,
    }
    if prepared is not None:
        value["prepared"] = prepared
    cr.execute(
        "INSERT INTO ir_config_parameter (key, value, create_uid, create_date) "
        "VALUES (%s, %s, 1, now() AT TIME ZONE 'UTC') "
        "ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value",
        [RECORD, json.dumps(value, sort_keys=True)],
    )
