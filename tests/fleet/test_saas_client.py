"""Hosted databases with the client addon inside, in a real Odoo process, asked by many at once."""

from __future__ import annotations

import threading
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from support.odoo_fleet import XMLRPC_IS_OLD, OdooFleet, json2
from support.trusted import Provider

pytestmark = pytest.mark.timeout(280)
TABLES = "SELECT count(*) FROM pg_tables WHERE tablename IN ('fleet_document', 'fleet_ticket', 'fleet_notice')"
SUSPENDED = "This database is suspended"


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Provider:
    return Provider(Path(tmp_path_factory.mktemp("trust")))


@pytest.fixture(scope="module")
def fleet(provider: Provider) -> Iterator[OdooFleet]:
    # Odoo warns of everything that it answers 422 to.
    allowed = (XMLRPC_IS_OLD, r"odoo\.http: Your plan Starter", r"odoo\.http: The app Hosted")
    allowed += (r"odoo\.http: This database is suspended",)
    environment = {"FLEET_TRUST": str(provider.anchor)}
    with OdooFleet(
        "saas_client",
        environment=environment,
        allowed=allowed,
        options=("--db_maxconn=64",),
        hosted="hosted",
        plain="tiny",
    ) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def keys(fleet: OdooFleet) -> dict[str, str]:
    return fleet.api_keys("hosted", "plain")


def together(count: int, work: Callable[[int], Any]) -> list[Any]:
    """Run ``work`` in that many threads that start at the same moment; return what each said."""
    barrier, found = threading.Barrier(count), [None] * count

    def run(number: int) -> None:
        barrier.wait()
        found[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def send(fleet: OdooFleet, ticket: str) -> requests.Response:
    return requests.post(
        f"http://127.0.0.1:{fleet.port}/fleet/sso",
        {"ticket": ticket},
        headers={"Host": f"hosted.localhost:{fleet.port}"},
        allow_redirects=False,
        timeout=120,
    )


def who(fleet: OdooFleet, answer: requests.Response) -> str | None:
    """Return the login of the session that an answer has set."""
    found = requests.post(
        f"http://127.0.0.1:{fleet.port}/web/session/get_session_info",
        json={"params": {}},
        headers={"Host": f"hosted.localhost:{fleet.port}"},
        cookies=answer.cookies.get_dict(),
        timeout=60,
    ).json()
    return found.get("result", {}).get("username")


def test_twenty_replays_at_once_give_one_login(fleet: OdooFleet, provider: Provider) -> None:
    database = fleet.database("hosted")
    provider.store(database)
    ticket = provider.ticket()
    answers = together(20, lambda _number: send(fleet, ticket))
    logins = [answer for answer in answers if answer.status_code == 303]
    refused = [answer for answer in answers if answer not in logins]
    assert [answer.status_code for answer in refused] == [403] * 19
    assert all("used already" in answer.text for answer in refused)
    assert [who(fleet, answer) for answer in answers].count("admin") == len(logins) == 1
    assert provider.query(database, "SELECT count(*) FROM saas_access") == [(1,)]
    assert provider.query(database, "SELECT count(*) FROM fleet_ticket") == [(1,)]


def test_rivals_for_the_last_place_get_one_user(
    fleet: OdooFleet, provider: Provider, keys: dict[str, str]
) -> None:
    database = fleet.database("hosted")
    key = keys["hosted"]
    for turn in range(3):
        before = fleet.call(
            "hosted", key, "res.users", "search_count", domain=[["share", "=", False]]
        )
        provider.store(database, limits={"users": before + 1})

        def create(number: int, turn: int = turn) -> int:
            login = f"rival-{turn}-{number}"
            return json2(
                fleet.port, "hosted.localhost", database, key, "res.users", "create",
                {"vals_list": [{"login": login, "name": login}]},
            ).status_code  # fmt: skip

        assert sorted(together(4, create)) == [200, 422, 422, 422]
        after = fleet.call(
            "hosted", key, "res.users", "search_count", domain=[["share", "=", False]]
        )
        assert after == before + 1


def test_a_suspended_database_answers_every_kind_of_rpc_with_words(
    fleet: OdooFleet, provider: Provider, keys: dict[str, str]
) -> None:
    database = fleet.database("hosted")
    provider.store(database, state="suspended")
    try:
        answer = json2(
            fleet.port, "hosted.localhost", database, keys["hosted"], "res.users", "context_get", {}
        )
        assert answer.status_code == 503 and SUSPENDED in answer.json()["message"]
        call = ("execute_kw", database, 2, keys["hosted"], "res.users", "search", [[]])
        assert SUSPENDED in xml_rpc(fleet, "object", *call)
        # Who only asks for his number gets none; this call knows no words.
        login = ("authenticate", database, "admin", keys["hosted"], {})
        assert "<boolean>0</boolean>" in xml_rpc(fleet, "common", *login)
        assert send(fleet, provider.ticket()).status_code == 403
        answer = send(fleet, provider.ticket(operator="Olga", reason="a look"))
        assert (answer.status_code, who(fleet, answer)) == (303, "admin")
    finally:
        provider.store(database)


def xml_rpc(fleet: OdooFleet, path: str, method: str, *arguments: Any) -> str:
    """Call from a host name that selects no database, as such programs may."""
    answer = requests.post(
        f"http://127.0.0.1:{fleet.port}/xmlrpc/2/{path}",
        xmlrpc.client.dumps(arguments, method),
        headers={"Host": f"nowhere.localhost:{fleet.port}", "Content-Type": "text/xml"},
        timeout=60,
    )
    return answer.text


def test_the_addon_comes_stays_while_it_must_and_goes_without_a_trace(
    fleet: OdooFleet, provider: Provider, keys: dict[str, str]
) -> None:
    database = fleet.database("plain")

    def module(method: str) -> requests.Response:
        [found] = fleet.call(
            "plain", keys["plain"], "ir.module.module", "search",
            domain=[["name", "=", "fleet_saas_client"]],
        )  # fmt: skip
        return json2(
            fleet.port, "plain.localhost", database, keys["plain"], "ir.module.module", method,
            {"ids": [found]},
        )  # fmt: skip

    fleet.call("plain", keys["plain"], "ir.module.module", "update_list")
    assert module("button_immediate_install").status_code == 200
    assert provider.query(database, TABLES) == [(3,)]
    provider.store(database)
    answer = module("button_immediate_uninstall")
    assert answer.status_code == 422 and "Good Hosting hosts this database" in answer.text
    provider.store(database, state="released")
    assert module("button_immediate_uninstall").status_code == 200
    assert provider.query(database, TABLES) == [(0,)]
    left = "SELECT count(*) FROM ir_model_data WHERE module = 'fleet_saas_client'"
    assert provider.query(database, left) == [(0,)]
    assert provider.query(database, "SELECT to_regclass('saas_access')") == [(None,)]
    monitors = "SELECT count(*) FROM res_partner WHERE name ~ '^Monitoring'"
    assert provider.query(database, monitors) == [(0,)]
    check_web_client(fleet)


def check_web_client(fleet: OdooFleet) -> None:
    session = requests.Session()
    session.headers["Host"] = f"plain.localhost:{fleet.port}"
    base = f"http://127.0.0.1:{fleet.port}"
    params = {"db": fleet.database("plain"), "login": "admin", "password": "admin"}
    answer = session.post(
        f"{base}/web/session/authenticate", json={"params": params}, timeout=60
    ).json()
    assert "fleet_saas" not in answer["result"]
    page = session.get(f"{base}/odoo", timeout=120)
    assert page.status_code == 200 and "odoo.__session_info__" in page.text
    assert session.post(f"{base}/fleet/sso", {"ticket": "x"}, timeout=60).status_code == 404
