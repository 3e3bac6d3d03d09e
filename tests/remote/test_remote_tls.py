"""Encryption: only a certificate that holds is talked to, and only then is the key sent."""

from __future__ import annotations

import ssl
from dataclasses import replace
from pathlib import Path

import certificates
import pytest
from certificates import DAY, NOW, Certificate
from fake_odoo import FakeOdoo
from remote import REASONS, RemoteError
from remote_helpers import HASTY, POLICY, QUICK, at_most, code_of, database
from support.rogue import Connection, Request, Rogue, reply_json


@pytest.fixture(scope="module")
def authority() -> Certificate:
    return certificates.authority()


def refusal(server: Rogue, ca: str | None) -> str:
    with pytest.raises(RemoteError) as caught:
        database(server, ca=ca).users()
    assert caught.value.code == "tls"
    assert server.requests == [], "nothing is sent before the certificate is checked"
    return str(caught.value.params["reason"])


def test_a_pinned_authority_is_trusted_for_this_database_only(
    authority: Certificate, tmp_path: Path
) -> None:
    context = certificates.make(signer=authority).server_context(tmp_path)
    with Rogue(FakeOdoo(), context=context) as server:
        assert database(server, ca=authority.pem).version().text == "19.0"
        server.requests.clear()
        assert refusal(server, None) == REASONS["self_signed"]
        assert refusal(server, certificates.authority().pem) == REASONS["self_signed"]


def test_a_servers_own_certificate_can_be_pinned(tmp_path: Path) -> None:
    own = certificates.make()
    with Rogue(FakeOdoo(), context=own.server_context(tmp_path)) as server:
        assert database(server, ca=own.pem).version().text == "19.0"


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"start": NOW - 2 * DAY, "end": NOW - DAY}, "expired"),
        ({"start": NOW + DAY, "end": NOW + 2 * DAY}, "not_yet"),
        ({"host": "other.example.com"}, "wrong_host"),
        ({"host": "127.0.0.1"}, "wrong_host"),
    ],
)
def test_a_bad_certificate_is_refused_even_from_a_pinned_authority(
    authority: Certificate, tmp_path: Path, values: dict[str, object], reason: str
) -> None:
    context = certificates.make(signer=authority, **values).server_context(tmp_path)  # type: ignore[arg-type]
    with Rogue(FakeOdoo(), context=context) as server:
        assert refusal(server, authority.pem) == REASONS[reason]


def test_the_name_is_asked_for_while_the_checked_address_is_dialled(
    authority: Certificate, tmp_path: Path
) -> None:
    names: list[str | None] = []
    context = certificates.make("client.example.com", signer=authority).server_context(tmp_path)
    context.sni_callback = lambda _sock, name, _context: names.append(name)  # type: ignore[assignment]
    policy = replace(POLICY, resolver=lambda *_args: ["127.0.0.1"])
    with Rogue(FakeOdoo(), context=context) as server:
        url = f"https://client.example.com:{server.port}"
        assert database(url, policy, ca=authority.pem).version().text == "19.0"
        assert names == ["client.example.com"]
        assert server.requests[0].headers["host"] == f"client.example.com:{server.port}"


def test_an_address_in_the_url_needs_a_certificate_for_that_address(
    authority: Certificate, tmp_path: Path
) -> None:
    context = certificates.make("127.0.0.1", signer=authority).server_context(tmp_path)
    with Rogue(FakeOdoo(), context=context) as server:
        url = f"https://127.0.0.1:{server.port}"
        assert database(url, ca=authority.pem).version().text == "19.0"


def test_a_server_without_tls_on_that_port() -> None:
    with Rogue(reply_json([]), raw=True) as server:
        server_url = server.url.replace("http://", "https://")
        with pytest.raises(RemoteError) as caught:
            database(server_url).users()
        assert caught.value.code == "tls"
        assert caught.value.params["reason"] == REASONS["no_tls"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_of_tls_are_refused(authority: Certificate, tmp_path: Path) -> None:
    context = certificates.make(signer=authority).server_context(tmp_path)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Rogue(FakeOdoo(), context=context) as server:
        assert refusal(server, authority.pem) == REASONS["other_tls"]


def test_a_handshake_that_drips_or_hangs_ends_in_time() -> None:
    def hello(connection: Connection, _request: Request) -> None:
        # The start of a record of 16 kB whose bytes come one by one.
        connection.send(b"\x16\x03\x03\x40\x00\x02")
        while True:
            connection.drip(b"\0")

    def silence(connection: Connection, _request: Request) -> None:
        connection.wait()

    for behaviour in (hello, silence):
        with Rogue(behaviour, raw=True) as server, at_most(QUICK + 0.5):
            url = server.url.replace("http:", "https:")
            assert code_of(database(url, HASTY).users) == "timeout"


def test_drip_after_the_handshake(authority: Certificate, tmp_path: Path) -> None:
    def behave(connection: Connection, _request: Request) -> None:
        connection.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            connection.drip(b" ")

    context = certificates.make(signer=authority).server_context(tmp_path)
    with Rogue(behave, context=context) as server, at_most(QUICK + 0.5):
        assert code_of(database(server, HASTY, ca=authority.pem).users) == "timeout"


@pytest.mark.parametrize("ca", ["nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n", "\x00"])
def test_a_pinned_text_that_is_no_certificate_is_named(ca: str) -> None:
    assert code_of(database("https://localhost:1", ca=ca).users) == "bad_setting"
