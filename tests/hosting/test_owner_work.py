"""System parameters and the administrator of a hosted database, seen by the Odoo that serves it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from cryptography.fernet import Fernet
from hosting.personalise import password_hash
from life_case import ask, new_name
from operations import HostingServer

PASSWORD = "correct horse battery"
HASH = password_hash(PASSWORD)


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("owner") as made:
        made.serve("--log-level=warn")
        yield made


@pytest.fixture
def database(server) -> tuple[str, str]:
    name = new_name("owner")
    return name, server.host_database(name, "base")


def log_in(server, name: str, login: str, password: str) -> bool:
    params = {"db": name, "login": login, "password": password}
    path = "/web/session/authenticate"
    answer = ask(server, name, path, method="POST", json={"params": params}).json()
    return bool(answer.get("result", {}).get("uid"))


def app_name(server, name: str) -> str:
    return ask(server, name, "/web/manifest.webmanifest").json()["name"]


def administrator(server, name, identity, secrets=None, **arguments) -> int:
    request = {"uuid": identity, "login": None, "link": False} | arguments
    operation = server.submit("administrator", name, request)
    assert server.run(operation, secrets=secrets) == "done", server.error(operation)
    return operation


def test_a_parameter_is_seen_at_once_by_the_process_that_knew_the_old_value(server, database):
    name, identity = database
    before = app_name(server, name)
    values = {"web.web_app_name": "Acme's own", "test.removed": None}
    server.do("parameters", name, {"uuid": identity, "values": values})
    assert app_name(server, name) == "Acme's own" != before


def test_a_parameter_of_a_suspended_database_is_there_when_it_is_resumed(server, database):
    name, identity = database
    server.do("suspend", name, {"uuid": identity})
    values = {"web.web_app_name": "Set while suspended"}
    server.do("parameters", name, {"uuid": identity, "values": values})
    server.do("resume", name, {"uuid": identity})
    assert app_name(server, name) == "Set while suspended"


def test_the_identity_is_not_set_as_a_parameter(server, database):
    name, identity = database
    values = {"database.uuid": "another"}
    operation = server.submit("parameters", name, {"uuid": identity, "values": values})
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "parameter_denied"


def test_a_new_password_opens_and_the_old_one_does_not(server, database):
    name, identity = database
    assert log_in(server, name, "admin", "admin")
    operation = administrator(server, name, identity, {"password_hash": HASH})
    assert log_in(server, name, "admin", PASSWORD)
    assert not log_in(server, name, "admin", "admin")
    assert HASH not in str(
        server.sql(
            "SELECT o::text, array_agg(s::text) FROM saas_operation o JOIN saas_operation_step s "
            "ON s.operation_id = o.id WHERE o.id = %s GROUP BY o.id",
            operation,
        )
    )


def test_a_new_login_keeps_the_password(server, database):
    name, identity = database
    administrator(server, name, identity, login="boss@acme.example")
    assert log_in(server, name, "boss@acme.example", "admin")
    assert not log_in(server, name, "admin", "admin")


def test_a_link_lets_the_administrator_choose_a_password_and_leaves_only_encrypted(
    server, database
):
    name, identity = database
    server.sql_in(
        name,
        "UPDATE ir_config_parameter SET value = %s WHERE key = 'web.base.url'",
        server.host.url(name),
    )
    key = Fernet.generate_key().decode()
    operation = administrator(server, name, identity, {"link_key": key}, link=True)
    token = server.evidence(operation)["link"]["link"]
    link = Fernet(key).decrypt(token.encode()).decode()
    assert link.startswith(f"https://{name}.hosted.example/web/reset_password")
    assert link not in str(server.evidence(operation))
    assert not log_in(server, name, "admin", "admin")
    page = ask(server, name, link.partition(".hosted.example")[2])
    assert page.status_code == 200
    assert 'name="password"' in page.text
