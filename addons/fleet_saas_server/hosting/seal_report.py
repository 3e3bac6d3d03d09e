"""The neutralisation report of a clone: what went, what stays on purpose, what nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg2 import sql
from psycopg2.extensions import cursor

from .errors import SENTENCES, sentences

if TYPE_CHECKING:
    from .seal import Before, SealReport
    from .seal_plan import Column, Plan

# No errors: what the report says, by codes as well, so that it can be told in any language.
sentences(
    seal_crons="Scheduled actions are off.",
    seal_mail_servers="Outgoing mail servers are off; a dummy takes their place.",
    seal_rule="Without this: %(why)s.",
    seal_autovacuum="Odoo's own clean-up (autovacuum) keeps running; it sends nothing.",
    seal_automation="Automation rules run when people change records; mail and webhooks in them "
    "go nowhere.",
    seal_documents="Electronic documents wait to be sent; the scheduled action that sends them "
    "is off.",
    seal_page_passwords="Passwords of website pages stay; they are part of the page.",
    seal_logins="Users log in to this staging copy with the passwords of the source.",
    seal_source="The source was already neutralised, so what was live before that is not known.",
    seal_credential="Looks like a credential, and nothing says what a copy shall do with it "
    "(module %(module)s).",
    seal_module="The module %(module)s has scheduled actions and no neutralize.sql; they are off, "
    "but what else it does by itself is not known.",
)

# What stays live in a sealed clone on purpose; each counts its rows, where its table is there.
LEFT_ON = (
    (
        "ir_cron.active",
        "cron",
        "SELECT count(*) FROM ir_cron WHERE active",
        "seal_autovacuum",
    ),
    (
        "base_automation.webhook_uuid",
        "automation rule",
        "SELECT count(*) FROM base_automation WHERE active AND trigger NOT LIKE 'on_time%'",
        "seal_automation",
    ),
    (
        "account_edi_document.state",
        "electronic document",
        "SELECT count(*) FROM account_edi_document WHERE state IN ('to_send', 'to_cancel')",
        "seal_documents",
    ),
    (
        "ir_ui_view.visibility_password",
        "page password",
        "SELECT count(*) FROM ir_ui_view WHERE visibility_password IS NOT NULL",
        "seal_page_passwords",
    ),
)
LOOKED_AT = ("ir_cron", "account_edi_document")  # tables that no rule is about


def fill(
    cr: cursor,
    report: SealReport,
    before: Before,
    todo: Plan,
    counts: list[int],
    neutralizing: list[str],
    keep_logins: bool,
) -> None:
    """Complete the report after the changes were made, in the same transaction."""
    report.switched_off = _switched_off(before, todo, counts)
    report.left_on = _left_on(cr, todo, keep_logins)
    report.unknown = _unknown_columns(cr, todo.unclaimed) + _foreign_modules(
        cr, report, neutralizing
    )
    if before.neutralized and not before.record:
        report.unknown.append(_entry("source", 1, "seal_source"))


def _entry(
    what: str, count: int, code: str, table: str | None = None, **facts: str
) -> dict[str, Any]:
    entry = {"what": what, "count": count, "says": SENTENCES[code] % facts, "code": code}
    if facts:
        entry["facts"] = facts
    return entry | {"table": table} if table else entry


def _switched_off(before: Before, todo: Plan, counts: list[int]) -> list[dict[str, Any]]:
    entries = []
    if before.crons:
        entries.append(_entry("cron", len(before.crons), "seal_crons", table="ir_cron"))
    if before.live["mail server"]:
        count = before.live["mail server"]
        entries.append(_entry("mail server", count, "seal_mail_servers", table="ir_mail_server"))
    for each, count in zip(todo.statements, counts, strict=True):
        if count:
            rule = each.rule
            entries.append(_entry(rule.kind, count, "seal_rule", each.table, why=rule.why))
    return entries


def _left_on(cr: cursor, todo: Plan, keep_logins: bool) -> list[dict[str, Any]]:
    there = {column.key for column in todo.columns}
    wanted = [each for each in LEFT_ON if each[0] in there]
    counts = [sql.SQL("({})").format(sql.SQL(query)) for _column, _what, query, _code in wanted]
    cr.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(counts)))
    found = zip(wanted, cr.fetchone(), strict=True)
    entries = [_entry(what, count, code) for (_, what, _, code), count in found if count]
    if keep_logins:
        cr.execute("SELECT count(*) FROM res_users WHERE active AND password IS NOT NULL")
        entries.append(_entry("password", cr.fetchone()[0], "seal_logins"))
    return entries


def _unknown_columns(cr: cursor, columns: tuple[Column, ...]) -> list[dict[str, Any]]:
    """Return the columns that look like credentials to no rule and do hold something."""
    if not columns:
        return []
    counts = [
        sql.SQL("(SELECT count(*) FROM {} WHERE {}::text <> '')").format(
            sql.Identifier(column.table), sql.Identifier(column.name)
        )
        for column in columns
    ]
    cr.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(counts)))
    found = [(column, n) for column, n in zip(columns, cr.fetchone(), strict=True) if n]
    owners = _owners(cr, [column for column, _n in found])
    return [
        _entry(
            column.key,
            count,
            "seal_credential",
            table=column.table,
            module=owners.get(column.key, "?"),
        )
        for column, count in found
    ]


def _owners(cr: cursor, columns: list[Column]) -> dict[str, str]:
    """Return the module that defines each column, as far as Odoo's catalogue knows."""
    if not columns:
        return {}
    cr.execute(
        "SELECT replace(f.model, '.', '_') || '.' || f.name, min(d.module) FROM ir_model_fields f "
        "JOIN ir_model_data d ON d.model = 'ir.model.fields' AND d.res_id = f.id "
        "WHERE f.name = ANY(%s) GROUP BY 1",
        [[column.name for column in columns]],
    )
    return dict(cr.fetchall())


def _foreign_modules(
    cr: cursor, report: SealReport, neutralizing: list[str]
) -> list[dict[str, Any]]:
    """Return the modules by others than Odoo that had live crons and no neutralize.sql."""
    cr.execute(
        "SELECT m.name, count(*) FROM ir_model_data d JOIN ir_module_module m ON m.name = d.module "
        "WHERE d.model = 'ir.cron' AND d.res_id = ANY(%s) AND m.name <> ALL(%s) "
        "AND coalesce(m.author, '') NOT LIKE 'Odoo%%' GROUP BY 1 ORDER BY 1",
        [report.crons, neutralizing],
    )
    return [_entry(module, count, "seal_module", module=module) for module, count in cr.fetchall()]
