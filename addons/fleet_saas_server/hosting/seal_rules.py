"""What a clone must not share with its source, table by table: data for `seal`.

Gathered from the fields of every module of Odoo 19 Community whose name speaks of a password, a
key, a token or a secret, from every queue that a scheduled action empties, and from what the
modules' own ``neutralize.sql`` leave behind. A rule whose table is not there does nothing.

Rules are tried in this order, and a column belongs to the first rule that names it; a column that
looks like a credential and that no rule names ends in the report as unknown.
"""

from __future__ import annotations

from dataclasses import dataclass

EMPTY = "empty"  # no value any more; a random one where the column must have one
RENEW = "renew"  # a new random value wherever there is one
DELETE = "delete"  # the rows themselves
SET = "set"  # the assignments of the rule
KEEP = "keep"  # looks like a credential and is none: left as it is, on purpose

# The new and the old uuid, settings of the transaction that seals.
IDENTITY = "current_setting('fleet_seal.identity')"
SOURCE = "current_setting('fleet_seal.source')"

# Names of columns that look like credentials, for PostgreSQL's and Python's regular expressions.
CREDENTIAL = (
    r"token|secret|pass(w|_|phrase|$)|pwd|api_?key|credential|bearer|hmac|vapid"
    r"|(private|access|client|transaction|signature|replacement|security|verification|webhook"
    r"|notification|migration|session|server|encryption|app|license|aade|pos|website|shared)_key"
    r"|access_code|session_iv|sha_(request|response)|webhook_uuid|(^|_)pin$"
)
# Names of columns that hold an address to which something may be sent.
OUTWARD = r"(webhook|callback)(_ur[il])?$|endpoint_ur[il]$"
# In a table full of credentials every key and every identifier of an account counts.
FAMILY = rf"{CREDENTIAL}|_key(_id)?$|_account_id$|merchant|webhook_id$"
# System parameters that look like credentials but are settings or names.
HARMLESS_KEYS = (
    "auth_signup.reset_password",
    "auth_signup.reset_password.validity.hours",
    "auth_password_policy.minlength",
    "barcode.max_time_between_keys_in_ms",
    "mail.chat_from_token",
    "microsoft_account.token_endpoint",
    "microsoft_account.auth_endpoint",
    "password.hashing.rounds",
    "portal.allow_api_keys",
)
# Those that belong to the source without looking like it: its contract, its accounts, its storage.
SOURCE_KEYS = (
    r"^database\.(enterprise_code|expiration_.*|already_linked_.*)$|^cloud_storage_(?!m)"
    r"|account_sid$|site_key$|public_key$|service_account|account_info$|sfu_(local|server)_"
    r"|^website_profile\.uuid$|^report\.url$|^web\.base\.url\.freeze$|webhook"
)


@dataclass(frozen=True)
class Rule:
    """One thing that a clone must not share.

    :param kind: what the report counts it as
    :param table: the table, or ``*`` for every table that has such a column
    :param columns: a regular expression for the column's name (EMPTY, RENEW, KEEP); for DELETE
        and SET the names, separated by blanks, that the statement uses
    :param action: EMPTY, RENEW, DELETE, SET or KEEP
    :param why: what would happen otherwise
    :param where: which rows; `IDENTITY` and `SOURCE` stand for the new and the old uuid
    :param assign: the assignments of SET
    :param login: people need it to log in, so it stays when logins are kept
    """

    kind: str
    table: str
    columns: str
    action: str
    why: str
    where: str = ""
    assign: str = ""
    login: bool = False

    @property
    def key(self) -> str:
        """Return what names this rule."""
        return f"{self.kind}:{self.table}"


def _family(kind: str, tables: str, why: str, columns: str = CREDENTIAL) -> tuple[Rule, ...]:
    return tuple(Rule(kind, table, columns, EMPTY, why) for table in tables.split())


def _delete(kind: str, tables: str, why: str) -> tuple[Rule, ...]:
    return tuple(Rule(kind, table, "", DELETE, why) for table in tables.split())


LOGINS = (
    Rule("password", "res_users", "password", EMPTY, "one password opens both", login=True),
    Rule("single sign-on", "res_users", "oauth_uid", EMPTY, "one account opens both", login=True),
    Rule("employee PIN", "hr_employee", "pin", EMPTY, "one PIN opens both", login=True),
    Rule("login history", "res_users_log", "", DELETE, "nobody logged in here yet", login=True),
    Rule("access token", "res_users", "token|secret", EMPTY, "opens accounts elsewhere"),
    Rule("sign-up", "res_partner", "signup_type", EMPTY, "invitations belong to the source"),
    *_delete("API key", "res_users_apikeys", "one key opens both"),
    *_delete("trusted device", "auth_totp_device", "skips the second factor"),
    *_delete("passkey", "auth_passkey_key", "one passkey opens both"),
    *_delete("session", "res_device_log discuss_channel_rtc_session", "sessions of the source"),
    *_delete("login attempt", "auth_totp_rate_limit_log", "counts against the source's users"),
    *_delete("LDAP server", "res_company_ldap", "lets the source's directory decide who enters"),
    *_delete(
        "unfinished wizard",
        "auth_totp_wizard change_password_user change_password_own res_users_identitycheck "
        "base_import_import",
        "holds what somebody typed in",
    ),
    Rule("guest key", "res_company", "attendance_kiosk_key", RENEW, "opens the kiosk's page"),
    Rule("guest key", "discuss_channel", "uuid", RENEW, "opens the channel to guests"),
)

ACCOUNTS = (
    *_family(
        "mail account",
        "ir_mail_server fetchmail_server",
        "sends and reads the source's mail",
        rf"{CREDENTIAL}|smtp_ssl_",
    ),
    *_family("calendar account", "res_users_settings", "reads the source's calendars"),
    *_family(
        "company's account", "res_company", "speaks to authorities and services for the source"
    ),
    *_family("bank's account", "res_bank res_partner_bank", "asks for payments for the source"),
    *_family(
        "payment account",
        "payment_provider pos_payment_method delivery_carrier",
        "takes money and orders for the source",
        FAMILY,
    ),
    *_family(
        "electronic documents",
        "account_edi_proxy_client_user certificate_certificate certificate_key "
        "l10n_eg_edi_thumb_drive",
        "signs documents for the source",
    ),
    *_family(
        "website's account", "website", "counts visits for the source", rf"{CREDENTIAL}|_key$"
    ),
    *_family(
        "unfinished settings", "res_config_settings calendar_provider_config", "holds credentials"
    ),
    *_family("calls", "mail_ice_server", "relays calls at the source's cost"),
    *_delete("IAP account", "iap_account", "spends the source's credits"),
    Rule(
        "sign-in provider",
        "auth_oauth_provider",
        "client_id",
        SET,
        "the source's application decides who enters",
        assign=f"client_id = CASE WHEN client_id = {SOURCE} THEN {IDENTITY} END",
        where=f"client_id IS NOT NULL AND client_id <> {IDENTITY}",
    ),
    Rule(
        "saved card",
        "payment_token",
        "active provider_ref",
        SET,
        "charges the source's customers",
        assign="active = false, provider_ref = 'sealed'",
        where="active OR provider_ref <> 'sealed'",
    ),
    Rule(
        "file with a credential",
        "ir_attachment",
        "res_model res_field",
        DELETE,
        "private keys and certificates of the source",
        # Not by CREDENTIAL: a regular expression for every row costs more than the whole seal.
        where="res_field IS NOT NULL AND (res_model IN ('certificate.key', "
        "'certificate.certificate', 'l10n_eg_edi.thumb.drive') OR res_field LIKE ANY (ARRAY["
        "'%password%', '%secret%', '%token%', '%private_key%', '%credential%', '%service_account%'"
        "]))",
    ),
    Rule(
        "system parameter",
        "ir_config_parameter",
        "key value",
        DELETE,
        "credentials and contract of the source",
        # A switch, a number or a short word is a setting, not a secret.
        where=f"(key ~ '{SOURCE_KEYS}' OR (key ~* '{CREDENTIAL}' "
        "AND value !~* '^(true|false|none|[0-9.]+|.{0,5})$')) "
        "AND key NOT LIKE 'fleet.%' AND key <> 'database.secret' "
        f"AND key NOT IN ({', '.join(repr(key) for key in HARMLESS_KEYS)})",
    ),
)

QUEUES = (
    Rule(
        "queued mail",
        "mail_mail",
        "state failure_reason",
        SET,
        "goes out as soon as mail works again",
        assign="state = 'cancel', failure_reason = 'Cancelled when this database was cloned.'",
        where="state IN ('outgoing', 'exception') OR state IS NULL",
    ),
    Rule(
        "queued SMS",
        "sms_sms",
        "state",
        SET,
        "goes out as soon as SMS work again",
        assign="state = 'canceled'",
        where="state IN ('outgoing', 'process', 'pending', 'error')",
    ),
    Rule(
        "queued letter",
        "snailmail_letter",
        "state",
        SET,
        "is printed and posted",
        assign="state = 'canceled'",
        where="state IN ('pending', 'error')",
    ),
    Rule(
        "pending notification",
        "mail_notification",
        "notification_status",
        SET,
        "waits for a message that is not sent",
        assign="notification_status = 'canceled'",
        where="notification_status IN ('ready', 'process', 'pending')",
    ),
    Rule(
        "mailing",
        "mailing_mailing",
        "state schedule_date",
        SET,
        "is sent to the source's audience",
        assign="state = 'draft', schedule_date = NULL",
        where="state IN ('in_queue', 'sending')",
    ),
    Rule(
        "mailing to one person",
        "mailing_trace",
        "trace_status",
        SET,
        "is sent to the source's audience",
        assign="trace_status = 'cancel'",
        where="trace_status IN ('outgoing', 'process', 'pending')",
    ),
    Rule("invoice to send", "account_move", "sending_data", EMPTY, "is sent a second time"),
    Rule(
        "order to confirm",
        "sale_order",
        "pending_email_template_id",
        SET,
        "its confirmation is sent a second time",
        assign="pending_email_template_id = NULL",
        where="pending_email_template_id IS NOT NULL",
    ),
    Rule(
        "background job",
        "queue_job",
        "state",
        SET,
        "is done a second time",
        assign="state = 'cancelled'",
        where="state IN ('wait_dependencies', 'pending', 'enqueued', 'started')",
    ),
    *_delete(
        "scheduled message", "mail_scheduled_message mail_message_schedule", "is posted again"
    ),
    *_delete("cron trigger", "ir_cron_trigger", "wakes scheduled actions"),
    *_delete("bus message", "bus_bus", "belongs to sessions of the source"),
    *_delete("log line", "ir_logging", "tells what happened in the source"),
)

ADDRESSES = (
    Rule(
        "outgoing webhook",
        "ir_act_server",
        "webhook_url",
        SET,
        "calls the source's partners",
        # The words of Odoo's own neutralize.sql.
        assign="webhook_url = 'neutralization - disable webhook'",
        where="webhook_url IS NOT NULL AND webhook_url <> 'neutralization - disable webhook'",
    ),
    Rule("incoming webhook", "base_automation", "webhook_uuid", RENEW, "one address reaches both"),
    # A visitor's number or a hash of the browser: opens nothing.
    Rule("visitor", "website_visitor", "access_token", KEEP, "opens nothing"),
    Rule("page password", "ir_ui_view", "visibility_password", KEEP, "part of the page"),
    Rule("document link", "*", "(access|invite|share|invitation)_token", RENEW, "opens documents"),
)

RULES: tuple[Rule, ...] = LOGINS + ACCOUNTS + QUEUES + ADDRESSES
