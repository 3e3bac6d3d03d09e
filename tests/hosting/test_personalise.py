"""A clone becomes somebody's own, as if Odoo itself had written it."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
import trap
from hosting.errors import HostingError
from hosting.parameters import set_parameters
from hosting.personalise import (
    Personal,
    password_hash,
    personalise,
    personalise_in,
    reset_administrator,
)
from passlib.context import CryptContext
from psycopg2.extensions import connection, cursor

from fleetdev import odoo_run, paths

REQUEST = {
    "company": "Alpine & Söhne",
    "company_email": "Office@Alpine.example",
    "company_phone": "+32 81 81 37 00",
    "country": "BE",
    "login": "anna",
    "name": "Anna <Alpine>",
    "email": "Anna@Alpine.example",
    "language": "en_US",
    "timezone": "Europe/Brussels",
    "website": "Alpine shop",
    "base_url": "https://alpine.example.com",
    "alias_domain": "alpine.example",
}
PERSONAL = Personal.from_request(REQUEST)


@pytest.fixture(scope="module")
def database() -> Iterator[connection]:
    with trap.database("personal", armed=False) as name, trap.connected(name) as opened:
        yield opened


@pytest.fixture
def cr(database: connection) -> Iterator[cursor]:
    with database.cursor() as cr:
        yield cr
    database.rollback()


def test_everything_asked_for_is_there(cr: cursor) -> None:
    cr.execute("UPDATE res_users SET password = NULL")  # as the seal leaves it
    personalise_in(cr, PERSONAL)
    cr.execute(
        "SELECT c.name, c.email, c.phone, p.name, p.complete_name, p.commercial_company_name, "
        "p.email, p.email_normalized, n.code, d.name FROM res_company c "
        "JOIN res_partner p ON p.id = c.partner_id JOIN res_country n ON n.id = p.country_id "
        "JOIN mail_alias_domain d ON d.id = c.alias_domain_id WHERE c.id = 1"
    )
    name, mail = REQUEST["company"], REQUEST["company_email"]
    assert cr.fetchone() == (
        *(name, mail, REQUEST["company_phone"], name, name, name, mail, mail.lower()),
        *("BE", "alpine.example"),
    )
    cr.execute(
        "SELECT u.login, u.password, u.active, p.name, p.complete_name, p.email, "
        "p.email_normalized, p.lang, p.tz FROM res_users u JOIN res_partner p "
        "ON p.id = u.partner_id WHERE u.id = 2"
    )
    name, mail = REQUEST["name"], REQUEST["email"]
    assert cr.fetchone() == (
        *("anna", None, True, name, name, mail, mail.lower()),
        *("en_US", "Europe/Brussels"),
    )
    assert trap.value(cr, "SELECT name FROM website") == "Alpine shop"
    assert trap.parameter(cr, "web.base.url") == "https://alpine.example.com"
    assert trap.parameter(cr, "web.base.url.freeze") == "True"
    assert trap.value(cr, "SELECT count(*) FROM mail_alias WHERE alias_full_name LIKE '%@%'") > 0


def test_odoo_agrees_with_every_stored_value_and_the_administrator_logs_in() -> None:
    code = """
partners = env["res.partner"].browse([1, 3])
company, domain = env["res.company"].browse(1), env["mail.alias.domain"].search([])
stored = lambda: [
    partners.mapped(name) for name in ("complete_name", "commercial_company_name",
                                       "email_normalized")
] + [company.name, company.email, company.phone] + env["mail.alias"].search([]).mapped(
    "alias_full_name")
before = stored()
for records, names in ((partners, ("complete_name", "commercial_company_name",
        "email_normalized")), (company, ("name", "email", "phone")),
        (env["mail.alias"].search([]), ("alias_full_name",))):
    for name in names:
        env.add_to_compute(records._fields[name], records)
env.flush_all()
env.invalidate_all()
assert stored() == before, (stored(), before)
info = env["res.users"].authenticate(
    {"login": "anna", "password": "a good password", "type": "password"}, {"interactive": True})
assert info["uid"] == 2, info
assert env["ir.config_parameter"].get_param("web.base.url") == "https://alpine.example.com"
print("ODOO AGREES")
"""
    with trap.database("odoo", armed=False) as name:
        with trap.connected(name) as opened:
            personalise(opened, replace(PERSONAL, password_hash=password_hash("a good password")))
        log = paths.LOG / "test-personalise.log"
        odoo_run.script(name, code, log=log, what="Reading a personalised database")
        assert "ODOO AGREES" in log.read_text()


def test_what_is_not_given_stays(cr: cursor) -> None:
    before = trap.value(cr, "SELECT to_jsonb(p) FROM res_partner p WHERE id = 1")
    password = trap.value(cr, "SELECT password FROM res_users WHERE id = 2")
    personalise_in(cr, Personal(name="Anna"))
    assert trap.value(cr, "SELECT to_jsonb(p) FROM res_partner p WHERE id = 1") == before
    assert trap.value(cr, "SELECT name FROM res_partner WHERE id = 3") == "Anna"
    assert trap.value(cr, "SELECT login FROM res_users WHERE id = 2") == "admin"
    assert trap.value(cr, "SELECT password FROM res_users WHERE id = 2") == password


def test_a_name_in_the_signature_is_escaped(cr: cursor) -> None:
    cr.execute("UPDATE res_users SET signature = '<div>Administrator</div>' WHERE id = 2")
    personalise_in(cr, PERSONAL)
    assert trap.value(cr, "SELECT signature FROM res_users WHERE id = 2") == (
        "<div>Anna &lt;Alpine&gt;</div>"
    )


def test_contacts_of_the_company_carry_its_new_name(cr: cursor) -> None:
    cr.execute(
        "INSERT INTO res_partner (name, parent_id, commercial_partner_id, type, active, "
        "autopost_bills, is_company) VALUES ('Bob', 1, 1, 'contact', true, 'ask', false) "
        "RETURNING id"
    )
    bob = cr.fetchone()[0]
    personalise_in(cr, PERSONAL)
    name = trap.value(cr, "SELECT complete_name FROM res_partner WHERE id = %s", bob)
    assert name == "Alpine & Söhne, Bob"


def test_a_language_that_the_template_lacks_is_named(cr: cursor) -> None:
    with pytest.raises(HostingError, match="fr_BE") as caught:
        personalise_in(cr, replace(PERSONAL, language="fr_BE"))
    assert caught.value.code == "language_missing"


def test_an_installed_language_becomes_the_default_everywhere(cr: cursor) -> None:
    cr.execute("UPDATE res_lang SET active = true WHERE code = 'fr_BE'")
    personalise_in(cr, replace(PERSONAL, language="fr_BE"))
    website = "SELECT l.code FROM website w JOIN res_lang l ON l.id = w.default_lang_id"
    assert trap.value(cr, website) == "fr_BE"
    assert trap.value(cr, "SELECT count(*) FROM website_lang_rel") == 2
    assert trap.value(cr, "SELECT lang FROM res_partner WHERE id = 3") == "fr_BE"
    default = "SELECT json_value FROM ir_default WHERE id = 1"
    assert trap.value(cr, default) == '"fr_BE"'


def test_an_unknown_country_is_refused(cr: cursor) -> None:
    with pytest.raises(HostingError, match="XX"):
        personalise_in(cr, replace(PERSONAL, country="XX"))


def test_a_login_of_another_user_is_refused_and_nothing_is_kept(database: connection) -> None:
    with pytest.raises(HostingError, match="public") as caught:
        personalise(database, replace(PERSONAL, login="public"))
    assert caught.value.code == "login_taken"
    with database.cursor() as cr:
        assert trap.value(cr, "SELECT name FROM res_company WHERE id = 1") == "My Company"
    database.rollback()


def test_a_database_without_mail_or_website_is_personalised_too() -> None:
    with trap.database("plain", "base", armed=False) as name, trap.connected(name) as opened:
        personalise(opened, PERSONAL)
        with opened.cursor() as cr:
            assert trap.value(cr, "SELECT name FROM res_company WHERE id = 1") == PERSONAL.company


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shoe_size", "42"),
        ("company", 5),
        ("company", "x" * 129),
        ("company", "two\nlines"),
        ("country", "Belgium"),
        ("login", "with blank"),
        ("email", "no-at.example"),
        ("email", "a@b@c.example"),
        ("language", "fr_BE; DROP"),
        ("timezone", "Mars/Olympus"),
        ("timezone", "../../etc/passwd"),
        ("password_hash", "plain"),
        ("base_url", "javascript:alert(1)"),
        ("base_url", "https://a.example/path"),
        ("base_url", "https://a.example\n"),
        ("alias_domain", "-bad-.example"),
    ],
)
def test_a_request_with_a_wrong_value_is_refused_by_name(key: str, value: object) -> None:
    with pytest.raises(HostingError, match=key) as caught:
        Personal.from_request(REQUEST | {key: value})
    assert caught.value.code == "bad_argument"


def test_a_request_that_is_no_object_is_refused() -> None:
    with pytest.raises(HostingError):
        Personal.from_request(["company"])


def test_odoo_reads_our_password_hash_without_wanting_a_better_one() -> None:
    # As res.users._crypt_context in Odoo 19.
    context = CryptContext(
        ["pbkdf2_sha512", "plaintext"], deprecated=["auto"], pbkdf2_sha512__rounds=600_000
    )
    assert context.verify_and_update("s3cret", password_hash("s3cret")) == (True, None)
    assert Personal.from_request({"password_hash": password_hash("s3cret")}).password_hash
    with pytest.raises(ValueError):
        password_hash("")


def test_a_reset_administrator_has_no_second_factor_any_more() -> None:
    hashed = password_hash("new")
    with trap.database("reset") as name, trap.connected(name) as opened:
        reset_administrator(opened, login="anna", hashed=hashed)
        with opened.cursor() as cr:
            cr.execute("SELECT login, password, totp_secret FROM res_users WHERE id = 2")
            assert cr.fetchone() == ("anna", hashed, None)
            assert trap.value(cr, "SELECT count(*) FROM auth_totp_device") == 0
            assert trap.value(cr, "SELECT count(*) FROM auth_passkey_key") == 0
        opened.rollback()
        with pytest.raises(HostingError, match="public"):
            reset_administrator(opened, login="public")
        reset_administrator(opened)
        with opened.cursor() as cr:
            assert trap.value(cr, "SELECT password FROM res_users WHERE id = 2") is None


def test_parameters_are_set_and_removed_but_not_those_of_the_server() -> None:
    with trap.database("parameters", armed=False) as name, trap.connected(name) as opened:
        set_parameters(opened, {"sale.async_emails": "True", "stock.barcode_separator": None})
        with opened.cursor() as cr:
            assert trap.parameter(cr, "sale.async_emails") == "True"
            assert trap.parameter(cr, "stock.barcode_separator") is None
        for key in ("database.uuid", "database.is_neutralized", "fleet.limits", "Fleet.sealed"):
            with pytest.raises(HostingError) as caught:
                set_parameters(opened, {"sale.async_emails": "False", key: "x"})
            assert caught.value.code == "parameter_denied"
        for bad in ({"": "x"}, {"a b": "x"}, {"a": 5}, {"a": ""}, {"a": "x\0"}, ["a"]):
            with pytest.raises(HostingError) as caught:
                set_parameters(opened, bad)
            assert caught.value.code == "bad_parameter"
        with opened.cursor() as cr:
            assert trap.parameter(cr, "sale.async_emails") == "True"


def test_personalising_is_fast(capsys: pytest.CaptureFixture[str]) -> None:
    times = []
    for _round in range(3):
        with trap.database("speed", armed=False) as name, trap.connected(name) as opened:
            start = time.perf_counter()
            personalise(opened, PERSONAL)
            times.append(time.perf_counter() - start)
    with capsys.disabled():
        print(
            f"\n  personalise {statistics.median(times) * 1000:.0f} ms, "
            f"the fastest {min(times) * 1000:.0f} ms"
        )
    assert min(times) < 1
