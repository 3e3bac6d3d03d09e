"""A booby-trapped database: everything that a careless copy would let out, planted by SQL."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg2
from hosting.modules import AddonsPath
from psycopg2.extensions import connection, cursor

from fleetdev import databases, odoo_source, paths, postgres

SECRET = "planted-secret-value"

# Rows that Odoo's own ORM would fill more richly; the columns are those that a seal looks at.
PLANTS = f"""
UPDATE ir_cron SET nextcall = now() - interval '3 days' WHERE active;
INSERT INTO ir_cron_trigger (cron_id, call_at) SELECT id, now() FROM ir_cron LIMIT 3;
INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_user, smtp_pass, smtp_encryption,
            smtp_authentication, active, sequence, google_gmail_refresh_token,
            google_gmail_access_token, microsoft_outlook_refresh_token, smtp_ssl_private_key)
     VALUES ('live', '127.0.0.1', 25, 'me', '{SECRET}', 'none', 'login', true, 1, '{SECRET}',
             '{SECRET}', '{SECRET}', 'abc');
INSERT INTO fetchmail_server (name, server, server_type, port, "user", password, active, state,
            google_gmail_refresh_token)
     VALUES ('live', '127.0.0.1', 'pop', 110, 'me', '{SECRET}', true, 'done', '{SECRET}');
INSERT INTO mail_message (model, message_type, body, date)
     SELECT 'res.partner', 'email', 'trap ' || n, now() FROM generate_series(1, 50) n;
INSERT INTO mail_mail (mail_message_id, state, email_to, body_html)
     SELECT id, 'outgoing', 'victim@example.com', body FROM mail_message WHERE body LIKE 'trap %';
INSERT INTO mail_notification (mail_message_id, res_partner_id, notification_type,
            notification_status)
     SELECT min(id), 3, 'email', 'ready' FROM mail_message;
INSERT INTO mail_scheduled_message (model, res_id, author_id, scheduled_date, body)
     VALUES ('res.partner', 3, 3, now(), 'trap');
INSERT INTO mail_message_schedule (mail_message_id, scheduled_datetime)
     SELECT min(id), now() FROM mail_message;
INSERT INTO sms_sms (number, body, state, uuid)
     SELECT '+32470000000', 'trap', 'outgoing', gen_random_uuid() FROM generate_series(1, 5);
INSERT INTO snailmail_letter (state, model, res_id, partner_id, company_id)
     VALUES ('pending', 'res.partner', 1, 1, 1);
INSERT INTO mailing_mailing (subject, mailing_type, state, mailing_model_id, user_id, source_id,
            schedule_type, email_from, reply_to_mode)
     SELECT '{{"en_US": "trap"}}', 'mail', 'in_queue', (SELECT min(id) FROM ir_model), 2,
            (SELECT min(id) FROM utm_source), 'now', 'me@example.com', 'new';
INSERT INTO mailing_trace (trace_type, trace_status, model, res_id)
     VALUES ('mail', 'outgoing', 'res.partner', 1);
INSERT INTO mail_push_device (partner_id, endpoint, keys) VALUES (3, 'http://127.0.0.1:9', 'k');
INSERT INTO mail_guest (name, access_token) VALUES ('guest', '{SECRET}');
INSERT INTO mail_ice_server (server_type, uri, username, credential)
     VALUES ('turn', '127.0.0.1', 'me', '{SECRET}');
INSERT INTO bus_bus (channel, message) VALUES ('c', 'm');
INSERT INTO ir_logging (name, type, level, path, func, line, message)
     VALUES ('n', 'server', 'INFO', 'p', 'f', '1', 'm');
INSERT INTO ir_act_server (name, type, binding_type, state, usage, webhook_url, model_id)
     SELECT '{{"en_US": "hook"}}', 'ir.actions.server', 'action', kind, 'ir_actions_server',
            'http://127.0.0.1:9/hook', (SELECT min(id) FROM ir_model)
       FROM unnest(ARRAY['webhook', 'code']) AS kind;
INSERT INTO base_automation (name, model_id, trigger, active, webhook_uuid)
     SELECT '{{"en_US": "in"}}', min(id), 'on_webhook', true, gen_random_uuid() FROM ir_model;
UPDATE res_users SET password = '{SECRET}', totp_secret = '{SECRET}', oauth_uid = 'someone',
       oauth_access_token = '{SECRET}', microsoft_calendar_rtoken = '{SECRET}' WHERE id = 2;
INSERT INTO res_users_apikeys (name, user_id, scope, index, key)
     VALUES ('live', 2, 'rpc', 'abcdefgh', '{SECRET}');
INSERT INTO auth_totp_device (name, user_id, scope, index, key)
     VALUES ('live', 2, 'browser', 'abcdefgh', '{SECRET}');
INSERT INTO auth_passkey_key (name, credential_identifier, public_key, sign_count, create_uid)
     VALUES ('live', '{SECRET}', '{SECRET}', 0, 2);
INSERT INTO auth_totp_rate_limit_log (user_id, limit_type) VALUES (2, 'code_check');
INSERT INTO auth_totp_wizard (user_id, secret) VALUES (2, '{SECRET}');
INSERT INTO change_password_own (new_password) VALUES ('{SECRET}');
INSERT INTO change_password_wizard DEFAULT VALUES;
INSERT INTO change_password_user (wizard_id, user_id, user_login, new_passwd)
     SELECT max(id), 2, 'admin', '{SECRET}' FROM change_password_wizard;
INSERT INTO res_users_identitycheck (request) VALUES ('x');
INSERT INTO base_import_import (res_model) VALUES ('res.partner');
INSERT INTO res_users_log (create_uid, create_date) VALUES (2, now());
INSERT INTO res_device_log (session_identifier, user_id, revoked, first_activity, last_activity)
     VALUES ('session', 2, false, now(), now());
INSERT INTO discuss_channel_rtc_session (channel_member_id, channel_id)
     SELECT min(id), min(channel_id) FROM discuss_channel_member;
UPDATE res_partner SET signup_type = 'reset' WHERE id = 3;
INSERT INTO res_users_settings (user_id, google_calendar_rtoken, calendar_default_privacy)
     VALUES (2, '{SECRET}', 'public') ON CONFLICT (user_id) DO UPDATE SET
     google_calendar_rtoken = '{SECRET}', google_calendar_sync_token = '{SECRET}';
UPDATE auth_oauth_provider SET enabled = true, client_id = 'app';
INSERT INTO iap_account (service_id, account_token, name)
     SELECT min(id), '{SECRET}', 'live' FROM iap_service;
UPDATE payment_provider SET state = 'enabled', stripe_secret_key = '{SECRET}'
 WHERE id = (SELECT min(id) FROM payment_provider);
INSERT INTO payment_token (provider_id, payment_method_id, partner_id, provider_ref, active,
            company_id)
     SELECT (SELECT min(id) FROM payment_provider), (SELECT min(id) FROM payment_method), 3,
            '{SECRET}', true, 1;
INSERT INTO certificate_key (name, password, company_id, active)
     VALUES ('key', '{SECRET}', 1, true);
INSERT INTO certificate_certificate (name, pkcs12_password, company_id, active)
     VALUES ('cert', '{SECRET}', 1, true);
INSERT INTO ir_attachment (name, type, res_model, res_field, res_id, access_token)
     VALUES ('content', 'binary', 'certificate.key', 'content', 1, NULL),
            ('file', 'binary', 'res.partner', NULL, 1, gen_random_uuid()::text);
INSERT INTO hr_employee (name, company_id, resource_id, pin, active)
     SELECT 'E', 1, min(id), '1234', true FROM resource_resource;
INSERT INTO sale_order (name, company_id, partner_id, partner_invoice_id, partner_shipping_id,
            date_order, warehouse_id, picking_policy, access_token, pending_email_template_id)
     SELECT 'S1', 1, 3, 3, 3, now(), (SELECT min(id) FROM stock_warehouse), 'direct', '{SECRET}',
            min(id) FROM mail_template;
INSERT INTO account_move (name, move_type, state, journal_id, currency_id, date, company_id,
            auto_post, sending_data)
     SELECT 'I1', 'entry', 'draft', min(id), 1, now(), 1, 'no', '{{"send": true}}'
       FROM account_journal;
UPDATE website SET google_maps_api_key = '{SECRET}', domain = 'https://source.example';
INSERT INTO res_config_settings (company_id, unsplash_access_key, default_picking_policy)
     VALUES (1, '{SECRET}', 'direct');
INSERT INTO calendar_provider_config (cal_client_secret) VALUES ('{SECRET}');
UPDATE ir_ui_view SET visibility_password = 'hash' WHERE id = (SELECT max(id) FROM ir_ui_view);
INSERT INTO ir_config_parameter (key, value) VALUES
     ('google_calendar_client_secret', '{SECRET}'), ('database.enterprise_code', 'M1234'),
     ('mail.web_push_vapid_private_key', '{SECRET}'), ('unsplash.access_key', '{SECRET}'),
     ('cloud_storage_google_account_info', '{SECRET}'), ('acme.api_key', '{SECRET}');
"""
# Modules that are not in the template: their tables, as far as a seal looks at them.
ABSENT_MODULES = f"""
CREATE TABLE res_company_ldap (id serial PRIMARY KEY, ldap_server varchar, ldap_password varchar);
INSERT INTO res_company_ldap (ldap_server, ldap_password) VALUES ('127.0.0.1', '{SECRET}');
CREATE TABLE queue_job (id serial PRIMARY KEY, uuid varchar, state varchar);
INSERT INTO queue_job (state) VALUES ('pending'), ('done');
CREATE TABLE account_edi_proxy_client_user (id serial PRIMARY KEY, refresh_token varchar);
INSERT INTO account_edi_proxy_client_user (refresh_token) VALUES ('{SECRET}');
CREATE TABLE l10n_eg_edi_thumb_drive (id serial PRIMARY KEY, pin varchar, access_token varchar);
INSERT INTO l10n_eg_edi_thumb_drive (pin, access_token) VALUES ('{SECRET}', '{SECRET}');
ALTER TABLE res_company ADD COLUMN acme_password varchar;
UPDATE res_company SET acme_password = '{SECRET}';
ALTER TABLE payment_provider ADD COLUMN acme_api_key varchar;
UPDATE payment_provider SET acme_api_key = '{SECRET}';
ALTER TABLE res_bank ADD COLUMN acme_api_key varchar;
INSERT INTO res_bank (name, acme_api_key, active) VALUES ('Bank', '{SECRET}', true);
ALTER TABLE res_partner_bank ADD COLUMN l10n_id_qris_api_key varchar;
INSERT INTO res_partner_bank (acc_number, partner_id, l10n_id_qris_api_key, active)
     VALUES ('BE0', 1, '{SECRET}', true);
ALTER TABLE pos_payment_method ADD COLUMN adyen_api_key varchar;
INSERT INTO pos_payment_method (name, company_id, active, payment_method_type)
     VALUES ('{{"en_US": "Card"}}', 1, true, 'none');
UPDATE pos_payment_method SET adyen_api_key = '{SECRET}';
ALTER TABLE delivery_carrier ADD COLUMN acme_token varchar;
UPDATE delivery_carrier SET acme_token = '{SECRET}';
"""


def addons_path() -> AddonsPath:
    """Return where the tests' Odoo finds its modules."""
    source = odoo_source.read()["python_path"]
    return AddonsPath([os.path.join(source, "odoo", "addons"), paths.ADDONS, paths.DEMO_ADDONS])


def addons_with(folder: Path, statements: str) -> AddonsPath:
    """Return the addons path with a neutralize.sql of the test's own for the module ``sms``."""
    data = folder / "sms" / "data"
    data.mkdir(parents=True)
    (folder / "sms" / "__manifest__.py").write_text("{'version': '1.0'}")
    (data / "neutralize.sql").write_text(statements)
    return AddonsPath([folder, *addons_path().folders])


@contextmanager
def database(label: str, template: str = "hosting_trap", *, armed: bool = True) -> Iterator[str]:
    """Give a copy of a template, by default with every trap planted."""
    name = f"{postgres.prefix()}test_{label}_{os.getpid()}_{uuid.uuid4().hex[:6]}"
    try:
        databases.copy(databases.template(template), name)
        if armed:
            with connected(name) as opened, opened.cursor() as cr:
                plant(cr)
                opened.commit()
        yield name
    finally:
        databases.drop(name)


@contextmanager
def connected(name: str) -> Iterator[connection]:
    """Give a connection that is closed in the end."""
    opened = psycopg2.connect(dbname=name)
    try:
        yield opened
    finally:
        opened.close()


def plant(cr: cursor) -> None:
    """Plant everything."""
    cr.execute(PLANTS)
    cr.execute(ABSENT_MODULES)


def value(cr: cursor, query: str, *arguments: object) -> object:
    """Return the first column of the first row."""
    cr.execute(query, arguments or None)
    return cr.fetchone()[0]


def parameter(cr: cursor, key: str) -> str | None:
    """Return a system parameter, None when it is not set."""
    cr.execute("SELECT value FROM ir_config_parameter WHERE key = %s", [key])
    row = cr.fetchone()
    return row and row[0]


def record(cr: cursor) -> dict[str, object]:
    """Return what the seal remembered in the clone."""
    return json.loads(parameter(cr, "fleet.sealed") or "{}")
