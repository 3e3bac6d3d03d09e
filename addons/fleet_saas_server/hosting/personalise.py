"""Make a sealed clone somebody's own: company, administrator, language, country, address."""

from __future__ import annotations

import html
import re
import zoneinfo
from dataclasses import dataclass, field, fields
from typing import Any

from passlib.hash import pbkdf2_sha512
from psycopg2.extensions import connection, cursor

from .errors import HostingError, sentences
from .failpoints import failpoint
from .parameters import put

ROUNDS = 600_000  # Odoo 19's MIN_ROUNDS, odoo/addons/base/models/res_users.py
_LABEL = r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOST = rf"{_LABEL}(\.{_LABEL})*"
_LINE = r"[^\x00-\x1f\x7f]{1,%d}"
# What each text has to look like; the whole of it.
PATTERNS = {
    "company": _LINE % 128,
    "company_email": rf"[^\s@<>\"]{{1,64}}@{_HOST}",
    "company_phone": r"[0-9 +()./-]{3,40}",
    "country": r"[A-Z]{2}",
    "login": r"[^\s\x00-\x1f]{1,128}",
    "name": _LINE % 128,
    "email": rf"[^\s@<>\"]{{1,64}}@{_HOST}",
    "language": r"[a-z]{2,3}(_[A-Z0-9]{2,3})?(@[a-z]+)?",
    "timezone": r"[A-Za-z0-9_+/-]{1,64}",
    "password_hash": r"\$pbkdf2-sha512\$[0-9]{4,8}\$[./A-Za-z0-9]{8,64}\$[./A-Za-z0-9]{86}",
    "website": _LINE % 128,
    "base_url": rf"https?://{_HOST}(:[0-9]{{1,5}})?",
    "report_url": rf"https?://{_HOST}(:[0-9]{{1,5}})?",
    "alias_domain": _HOST,
}

sentences(
    bad_argument="The argument %(argument)s is not acceptable: %(reason)s.",
    language_missing="The language %(language)s is not installed in the template. Install it there "
    "and publish a new version, or choose another language.",
    country_unknown="There is no country with the code %(country)s.",
    login_taken="The login %(login)s already belongs to another user of the database.",
    no_administrator="The database has no user base.user_admin; name its administrator by hand.",
)


@dataclass(frozen=True)
class Personal:
    """What a customer's database says of its owner; what is "" stays as the template has it.

    :param company: the company's name
    :param country: two capital letters, ISO 3166
    :param login: the administrator's; his name, e-mail, language and time zone follow
    :param language: as Odoo writes it, ``fr_BE``; it must be installed in the template
    :param password_hash: from `password_hash`; "" leaves what the seal has left, which is none
        unless people keep their logins
    :param website: name of the website, if the template has one
    :param base_url: ``https://host``, written and frozen
    :param report_url: where the PDF renderer reaches this database, if not under ``base_url``
    :param alias_domain: domain of the addresses at which it receives mail
    """

    company: str = ""
    company_email: str = ""
    company_phone: str = ""
    country: str = ""
    login: str = ""
    name: str = ""
    email: str = ""
    language: str = ""
    timezone: str = ""
    password_hash: str = field(default="", repr=False)
    website: str = ""
    base_url: str = ""
    report_url: str = ""
    alias_domain: str = ""

    @classmethod
    def from_request(cls, request: object) -> Personal:
        """Return the checked values of a request.

        :raises HostingError: ``bad_argument`` for an unknown key, a wrong type, shape or length
        """
        if not isinstance(request, dict):
            raise HostingError("bad_argument", argument="personal", reason="it must be an object")
        known = {each.name for each in fields(cls)}
        for key, value in request.items():
            if key not in known:
                raise HostingError("bad_argument", argument=key, reason="it is unknown")
            reason = _wrong_text(key, value)
            if reason:
                raise HostingError("bad_argument", argument=key, reason=reason)
        return cls(**request)


def _wrong_text(key: str, value: object) -> str:
    if not isinstance(value, str):
        return "it must be a text"
    if value and (len(value) > 254 or not re.fullmatch(PATTERNS[key], value)):
        return "it has the wrong form or is too long"
    if key == "timezone" and value:
        try:
            zoneinfo.ZoneInfo(value)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            return "there is no such time zone"
    return ""


def password_hash(text: str) -> str:
    """Return what Odoo stores for a password (passlib's pbkdf2_sha512); takes about 0.3 s."""
    if not text:
        raise ValueError("an empty password is none")
    return pbkdf2_sha512.using(rounds=ROUNDS).hash(text)


def personalise(opened: connection, personal: Personal) -> None:
    """Write all of ``personal`` into the database behind ``opened`` and commit.

    No Odoo process may have the database open: nothing clears its caches.

    :raises HostingError: ``language_missing``, ``country_unknown``, ``login_taken``,
        ``no_administrator``
    """
    try:
        with opened.cursor() as cr:
            personalise_in(cr, personal)
        failpoint("personalise.before_commit")
        opened.commit()
    except BaseException:
        opened.rollback()
        raise


def reset_administrator(
    opened: connection, *, login: str | None = None, hashed: str | None = None
) -> None:
    """Give the administrator another login or password and commit; end his second factors.

    :param hashed: from `password_hash`; None makes the password unusable
    :raises HostingError: ``bad_argument``, ``login_taken``, ``no_administrator``
    """
    checked = Personal.from_request({"login": login or "", "password_hash": hashed or ""})
    with opened, opened.cursor() as cr:
        user = _facts(cr, checked)["user"]
        cr.execute(
            "UPDATE res_users SET active = true, password = nullif(%s, ''), "
            "login = coalesce(nullif(%s, ''), login) WHERE id = %s",
            [checked.password_hash, checked.login, user],
        )
        _forget_second_factors(cr, user)


def _forget_second_factors(cr: cursor, user: int) -> None:
    cr.execute(
        "SELECT to_regclass('auth_totp_device') IS NOT NULL, "
        "to_regclass('auth_passkey_key') IS NOT NULL, EXISTS (SELECT FROM pg_attribute "
        "WHERE attrelid = 'res_users'::regclass AND attname = 'totp_secret' AND NOT attisdropped)"
    )
    devices, passkeys, totp = cr.fetchone()
    if devices:
        cr.execute("DELETE FROM auth_totp_device WHERE user_id = %s", [user])
    if passkeys:
        cr.execute("DELETE FROM auth_passkey_key WHERE create_uid = %s", [user])
    if totp:
        cr.execute("UPDATE res_users SET totp_secret = NULL WHERE id = %s", [user])


def personalise_in(cr: cursor, personal: Personal) -> None:
    """Do the work of `personalise` in the transaction of ``cr``: one look, one message."""
    facts = _facts(cr, personal)
    if personal.language and not facts["lang"]:
        raise HostingError("language_missing", language=personal.language)
    if personal.country and not facts["country"]:
        raise HostingError("country_unknown", country=personal.country)
    values = {each.name: getattr(personal, each.name) for each in fields(personal)}
    values |= facts | {"signature": html.escape(personal.name), "normal": personal.email.lower()}
    values["company_normal"] = personal.company_email.lower()
    batch = [_QUICK, _COMPANY, _ADMINISTRATOR, _NAMES]
    if personal.language:
        batch.append(_LANGUAGE)
    if facts["has_mail"]:
        batch.append(_MAIL)
        if personal.alias_domain:
            batch.append(_ALIASES)
    if facts["has_website"]:
        batch.append(_WEBSITE)
    cr.execute("".join(batch), values)
    put(cr, _parameters(personal))


def _parameters(personal: Personal) -> dict[str, str]:
    values = {}
    if personal.base_url:
        values |= {"web.base.url": personal.base_url, "web.base.url.freeze": "True"}
    if personal.report_url:
        values["report.url"] = personal.report_url
    return values


def _facts(cr: cursor, personal: Personal) -> dict[str, Any]:
    """Return the numbers of the records to change, and which modules are there."""
    cr.execute(
        """
        SELECT u.id AS "user", u.partner_id AS partner, p.name AS old_name,
               c.id AS main, c.partner_id AS company_partner,
               EXISTS (SELECT FROM res_users o WHERE o.login = %(login)s AND o.id <> u.id) AS taken,
               (SELECT id FROM res_lang WHERE code = %(language)s AND active) AS lang,
               (SELECT id FROM res_country WHERE code = %(country)s) AS country,
               to_regclass('mail_alias_domain') IS NOT NULL AS has_mail,
               to_regclass('website') IS NOT NULL AS has_website
          FROM ir_model_data d
          JOIN res_users u ON u.id = d.res_id
          JOIN res_partner p ON p.id = u.partner_id
          JOIN res_company c ON c.id = u.company_id
         WHERE d.module = 'base' AND d.name = 'user_admin' AND d.model = 'res.users'
        """,
        {"language": personal.language, "country": personal.country, "login": personal.login},
    )
    row = cr.fetchone()
    if row is None:
        raise HostingError("no_administrator")
    facts = dict(zip((column.name for column in cr.description), row, strict=True))
    # Not left to the constraint: with website it allows a login twice.
    if facts["taken"]:
        raise HostingError("login_taken", login=personal.login)
    return facts | {"country_id": facts["country"]}


# The rename that makes the database visible is flushed to disk after this.
_QUICK = "SET LOCAL synchronous_commit = off;"
# A value of "" leaves what is there; every statement is one place of the ORM's stored fields.
_COMPANY = """
UPDATE res_partner SET name = coalesce(nullif(%(company)s, ''), name),
       email = coalesce(nullif(%(company_email)s, ''), email),
       phone = coalesce(nullif(%(company_phone)s, ''), phone),
       country_id = coalesce(%(country_id)s, country_id),
       state_id = CASE WHEN %(country_id)s IS DISTINCT FROM country_id AND %(country_id)s IS NOT NULL
                       THEN NULL ELSE state_id END,
       lang = coalesce(nullif(%(language)s, ''), lang)
 WHERE id = %(company_partner)s;
UPDATE res_company c SET name = p.name, email = p.email, phone = p.phone
  FROM res_partner p WHERE p.id = c.partner_id AND c.id = %(main)s;
"""
_ADMINISTRATOR = """
UPDATE res_users SET login = coalesce(nullif(%(login)s, ''), login), active = true,
       password = coalesce(nullif(%(password_hash)s, ''), password),
       signature = CASE WHEN %(name)s = '' THEN signature
                        ELSE replace(signature, %(old_name)s, %(signature)s) END
 WHERE id = %(user)s;
UPDATE res_partner SET name = coalesce(nullif(%(name)s, ''), name),
       email = coalesce(nullif(%(email)s, ''), email),
       lang = coalesce(nullif(%(language)s, ''), lang),
       tz = coalesce(nullif(%(timezone)s, ''), tz)
 WHERE id = %(partner)s;
"""
# As res.partner computes complete_name and commercial_company_name.
_NAMES = """
UPDATE res_partner p SET
       commercial_company_name = CASE WHEN owner.is_company THEN owner.name ELSE p.company_name END,
       complete_name = CASE
           WHEN (p.parent_id IS NOT NULL OR p.company_name <> '') AND p.is_company IS NOT TRUE
           THEN concat_ws(', ', CASE WHEN owner.is_company THEN owner.name
                                     ELSE coalesce(p.company_name, parent.name) END, p.name)
           ELSE p.name END
  FROM res_partner owner, res_partner self LEFT JOIN res_partner parent ON parent.id = self.parent_id
 WHERE self.id = p.id AND owner.id = p.commercial_partner_id
   AND (p.commercial_partner_id = %(company_partner)s OR p.id = %(partner)s);
"""
_LANGUAGE = """
UPDATE ir_default SET json_value = to_json(%(language)s::text)::text
 WHERE user_id IS NULL AND company_id IS NULL AND field_id IN (
       SELECT id FROM ir_model_fields WHERE model = 'res.partner' AND name = 'lang');
"""
_MAIL = """
UPDATE res_partner SET email_normalized = nullif(CASE id
       WHEN %(partner)s THEN coalesce(nullif(%(normal)s, ''), email_normalized)
       ELSE coalesce(nullif(%(company_normal)s, ''), email_normalized) END, ''),
       phone_sanitized = CASE WHEN id = %(company_partner)s AND %(company_phone)s <> ''
                              THEN NULL ELSE phone_sanitized END
 WHERE id IN (%(partner)s, %(company_partner)s);
"""
_ALIASES = """
UPDATE mail_alias_domain SET name = %(alias_domain)s
 WHERE id = (SELECT alias_domain_id FROM res_company WHERE id = %(main)s);
INSERT INTO mail_alias_domain (name, bounce_alias, catchall_alias, default_from, sequence,
                               create_uid, create_date)
SELECT %(alias_domain)s, 'bounce', 'catchall', 'notifications', 10, 1, now() AT TIME ZONE 'UTC'
 WHERE NOT EXISTS (SELECT FROM res_company WHERE id = %(main)s AND alias_domain_id IS NOT NULL);
UPDATE res_company SET alias_domain_id = (SELECT id FROM mail_alias_domain
       WHERE name = %(alias_domain)s ORDER BY id DESC LIMIT 1)
 WHERE alias_domain_id IS NULL;
UPDATE mail_alias SET alias_domain_id = (SELECT alias_domain_id FROM res_company WHERE id = %(main)s)
 WHERE alias_domain_id IS NULL;
UPDATE mail_alias a SET alias_full_name = a.alias_name || '@' || d.name
  FROM mail_alias_domain d WHERE d.id = a.alias_domain_id AND a.alias_name <> '';
"""
_WEBSITE = """
UPDATE website SET name = coalesce(nullif(%(website)s, ''), name),
       default_lang_id = coalesce(%(lang)s, default_lang_id)
 WHERE id = (SELECT min(id) FROM website);
INSERT INTO website_lang_rel (website_id, lang_id)
SELECT min(id), %(lang)s FROM website WHERE %(lang)s IS NOT NULL HAVING min(id) IS NOT NULL
    ON CONFLICT DO NOTHING;
"""
