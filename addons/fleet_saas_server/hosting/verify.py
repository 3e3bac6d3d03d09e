"""Look at a sealed clone from outside: is anything left of its source that is live or opens it?

This shares no statement with `seal`: it counts, on a connection of its own and read-only, what
must not be there. A clone that fails is never shown to anybody.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from psycopg2 import sql
from psycopg2.extensions import connection, cursor

from .errors import HostingError, sentences
from .failpoints import failpoint
from .seal import SourceFacts, token_digest

sentences(
    not_sealed="The copy is not sealed: %(count)s in %(table)s (%(what)s). It stays hidden and is "
    "thrown away; the seal does not know this case.",
)


@dataclass(frozen=True)
class Check:
    """Rows that must not be there.

    :param columns: what ``where`` needs, separated by blanks; without them nothing can be wrong
    :param login: allowed when people keep their logins
    """

    what: str
    table: str
    columns: str = ""
    where: str = "true"
    login: bool = False


_FILLED = "coalesce({0}::text, '') <> ''"


def _filled(what: str, table: str, *columns: str, login: bool = False) -> tuple[Check, ...]:
    return tuple(Check(what, table, name, _FILLED.format(name), login) for name in columns)


def _empty(what: str, *tables: str, login: bool = False) -> tuple[Check, ...]:
    return tuple(Check(what, table, login=login) for table in tables)


CHECKS: tuple[Check, ...] = (
    Check(
        "a scheduled action is active",
        "ir_cron",
        "active",
        "active AND id NOT IN (SELECT res_id FROM ir_model_data WHERE model = 'ir.cron' "
        "AND module = 'base' AND name = 'autovacuum_job')",
    ),
    Check(
        "an outgoing mail server is active",
        "ir_mail_server",
        "active smtp_host",
        "active AND smtp_host <> 'invalid'",
    ),
    Check("an incoming mail server is active", "fetchmail_server", "active", "active"),
    Check("a mail waits to be sent", "mail_mail", "state", "state IN ('outgoing', 'exception')"),
    Check("an SMS waits to be sent", "sms_sms", "state", "state NOT IN ('sent', 'canceled')"),
    Check(
        "a letter waits to be sent",
        "snailmail_letter",
        "state",
        "state NOT IN ('sent', 'canceled')",
    ),
    Check(
        "a notification waits",
        "mail_notification",
        "notification_status",
        "notification_status IN ('ready', 'process', 'pending')",
    ),
    Check("a mailing is queued", "mailing_mailing", "state", "state IN ('in_queue', 'sending')"),
    Check(
        "a mailing is queued",
        "mailing_trace",
        "trace_status",
        "trace_status IN ('outgoing', 'process', 'pending')",
    ),
    Check("a job is queued", "queue_job", "state", "state NOT IN ('done', 'failed', 'cancelled')"),
    *_filled("a document waits to be sent", "account_move", "sending_data"),
    *_filled("a document waits to be sent", "sale_order", "pending_email_template_id"),
    *_empty("a message is scheduled", "mail_scheduled_message", "mail_message_schedule"),
    *_empty("a push notification or device", "mail_push", "mail_push_device"),
    *_empty("a trigger of a scheduled action", "ir_cron_trigger"),
    *_empty("a message of a session", "bus_bus"),
    *_empty("a session", "res_device_log", "discuss_channel_rtc_session"),
    *_empty("a log line of the source", "ir_logging", "auth_totp_rate_limit_log"),
    *_empty("a log line of the source", "res_users_log", login=True),
    *_empty("an API key", "res_users_apikeys"),
    *_empty("a trusted device", "auth_totp_device"),
    *_empty("a passkey", "auth_passkey_key"),
    *_empty("an LDAP server", "res_company_ldap"),
    *_empty("an IAP account", "iap_account"),
    *_empty(
        "what somebody typed into a wizard",
        "auth_totp_wizard",
        "change_password_user",
        "change_password_own",
        "res_users_identitycheck",
        "base_import_import",
    ),
    *_filled("a password", "res_users", "password", "oauth_uid", login=True),
    *_filled("a PIN", "hr_employee", "pin", login=True),
    *_filled("an invitation", "res_partner", "signup_type"),
    Check("a sign-in provider is enabled", "auth_oauth_provider", "enabled", "enabled"),
    Check(
        "a sign-in provider knows the source",
        "auth_oauth_provider",
        "client_id",
        "client_id <> (SELECT value FROM ir_config_parameter WHERE key = 'database.uuid')",
    ),
    Check(
        "a webhook is called",
        "ir_act_server",
        "webhook_url",
        "webhook_url <> 'neutralization - disable webhook'",
    ),
    Check("a payment provider takes money", "payment_provider", "state", "state = 'enabled'"),
    Check("a saved card", "payment_token", "active", "active"),
    Check(
        "a private key",
        "ir_attachment",
        "res_model res_field",
        "res_field IS NOT NULL AND (res_model LIKE 'certificate.%' OR res_field LIKE '%password%' "
        "OR res_field LIKE '%secret%' OR res_field LIKE '%private_key%')",
    ),
    Check(
        "a secret system parameter",
        "ir_config_parameter",
        "key value",
        "(key LIKE 'cloud_storage_%_client_secret' OR key LIKE '%vapid_private%' "
        "OR key LIKE '%client_secret' OR key LIKE '%api_key' OR key LIKE '%api_secret' "
        "OR key LIKE '%account_token' OR key LIKE '%secret_key' OR key LIKE '%access_key' "
        "OR key LIKE '%server_key' OR key LIKE 'database.enterprise_code') AND value <> ''",
    ),
)
# In these tables every column with such a name has to be empty.
SECRET_TABLES = (
    "res_users res_users_settings res_company res_bank res_partner_bank ir_mail_server "
    "fetchmail_server payment_provider pos_payment_method delivery_carrier website mail_ice_server "
    "certificate_certificate certificate_key account_edi_proxy_client_user res_config_settings "
    "calendar_provider_config"
).split()
SECRET_WORDS = ("token", "secret", "password", "_pass", "api_key", "credential", "private_key")
# Their table and name say credential; the first is a person's way in, checked above.
EXEMPT = {("res_users", "password")}
TEXT_TYPES = ("text", "varchar", "bytea", "json", "jsonb")


def verify(
    opened: connection,
    *,
    identity: str | UUID,
    source: SourceFacts,
    keep_logins: bool = False,
) -> dict[str, Any]:
    """Check the sealed clone behind ``opened``, read-only, and return what was looked at.

    :param opened: a connection that did not seal, with no transaction open
    :param source: what `seal` saw before it changed anything
    :return: ``{"checked": {name: 0}, "absent": [names], "tokens": number}``
    :raises HostingError: ``not_sealed`` with table and count
    """
    failpoint("verify.begin")
    try:
        with opened.cursor() as cr:
            cr.execute("SET TRANSACTION READ ONLY")
            return verify_in(cr, identity=identity, source=source, keep_logins=keep_logins)
    finally:
        opened.rollback()


def verify_in(
    cr: cursor, *, identity: str | UUID, source: SourceFacts, keep_logins: bool = False
) -> dict[str, Any]:
    """Do the work of `verify` in the transaction of ``cr``."""
    tables = _columns(cr)
    _check_identity(cr, str(identity), source)
    wanted = [check for check in CHECKS if not (keep_logins and check.login)]
    wanted += _secret_columns(tables, keep_logins)
    there = [
        each
        for each in wanted
        if tables.get(each.table, {}).keys() >= set(each.columns.split()) and each.table in tables
    ]
    counts = _count(cr, there)
    for check, count in zip(there, counts, strict=True):
        if count:
            raise HostingError("not_sealed", table=check.table, count=count, what=check.what)
    _check_tokens(cr, source)
    return {
        "checked": {_name(check): 0 for check in there},
        "absent": sorted({check.table for check in wanted if check.table not in tables}),
        "tokens": len(source.tokens),
    }


def _name(check: Check) -> str:
    return f"{check.table}: {check.what}"


def _columns(cr: cursor) -> dict[str, dict[str, str]]:
    """Return the columns and their types of every table that a check is about."""
    wanted = sorted({*(check.table for check in CHECKS), *SECRET_TABLES})
    cr.execute(
        "SELECT c.relname, json_object_agg(a.attname, t.typname) FROM pg_class c "
        "JOIN pg_attribute a ON a.attrelid = c.oid JOIN pg_type t ON t.oid = a.atttypid "
        "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p') "
        "AND a.attnum > 0 AND NOT a.attisdropped AND c.relname = ANY(%s) GROUP BY 1",
        [wanted],
    )
    return defaultdict(dict, cr.fetchall())


def _secret_columns(tables: dict[str, dict[str, str]], keep_logins: bool) -> list[Check]:
    return [
        Check("a credential", table, name, _FILLED.format(f'"{name}"'))
        for table in SECRET_TABLES
        for name, kind in tables.get(table, {}).items()
        if kind in TEXT_TYPES
        and any(word in name for word in SECRET_WORDS)
        and (table, name) not in EXEMPT
    ]


def _count(cr: cursor, checks: Iterable[Check]) -> tuple[int, ...]:
    counts = [
        sql.SQL("(SELECT count(*) FROM {} WHERE ").format(sql.Identifier(check.table))
        + sql.SQL(check.where + ")")
        for check in checks
    ]
    cr.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(counts)))
    return cr.fetchone()


def _check_identity(cr: cursor, identity: str, source: SourceFacts) -> None:
    """Check that uuid, secret and flag are the clone's own and that the dummy server stands."""
    cr.execute("SELECT key, value FROM ir_config_parameter WHERE key ~ '^(database|fleet)[.]'")
    parameters = dict(cr.fetchall())
    secret = parameters.get("database.secret", "")
    cr.execute("SELECT count(*) FROM ir_mail_server WHERE active AND smtp_host = 'invalid'")
    dummies = cr.fetchone()[0]
    sealed = json.loads(parameters.get("fleet.sealed", "{}"))
    wrong = {
        "the uuid is not its own": parameters.get("database.uuid") != identity
        or identity == source.uuid,
        "the secret is not its own": len(secret) < 36
        or hashlib.sha256(secret.encode()).hexdigest() == source.secret,
        "it is not marked as neutralised": parameters.get("database.is_neutralized") != "true",
        "what was live is not recorded": sealed.get("identity") != identity,
    }
    for what, is_wrong in wrong.items():
        if is_wrong:
            raise HostingError("not_sealed", table="ir_config_parameter", count=1, what=what)
    if not dummies:
        what = "no dummy keeps mail from the server's own mail relay"
        raise HostingError("not_sealed", table="ir_mail_server", count=0, what=what)


def _check_tokens(cr: cursor, source: SourceFacts) -> None:
    """Check that every token that the source had is another one now."""
    if not source.tokens:
        return
    keys = [key.split(".") for key in source.tokens]
    digests = [token_digest(sql.Identifier(name), sql.Identifier(table)) for table, name in keys]
    cr.execute(sql.SQL("SELECT {}").format(sql.SQL(", ").join(digests)))
    for (table, name), old, new in zip(keys, source.tokens.values(), cr.fetchone(), strict=True):
        if old == new:
            what = f"{name} is the source's"
            raise HostingError("not_sealed", table=table, count=1, what=what)
