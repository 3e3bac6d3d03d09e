"""The gate of the hosted process: a host name opens its own database, by no way another one."""

from __future__ import annotations

import os
import subprocess
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import Any

import pytest
from hosting.counts import requests_of
from hosting.routes import ACTIVE, MAINTENANCE, PAUSED, SUSPENDED, Routes
from support.gated_odoo import LOAD, PAUSE_S, GatedOdoo

from fleetdev import odoo_run, paths, postgres

# Sorted as Odoo sorts them: the one whose crons must run comes last.
UNROUTED, BIRCH, CEDAR = "alpine", "birch", "cedar"


def wait_until(true: Callable[[], Any], seconds: float = 30) -> None:
    """Wait until ``true()``; fail when it does not become so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatedOdoo]:
    with GatedOdoo(tmp_path_factory.mktemp("gate"), UNROUTED, BIRCH, CEDAR) as odoo:
        routes = Routes(odoo.work_dir / "routes.json")
        for label in (BIRCH, CEDAR):
            routes.put(odoo.host(label), odoo.database(label))
        odoo.start()
        odoo.server.wait(odoo.host(CEDAR))
        yield odoo


@pytest.fixture
def routes(hosted: GatedOdoo) -> Iterator[Routes]:
    """Give the routes to change; both are active again afterwards."""
    routes = Routes(hosted.work_dir / "routes.json")
    table = routes.load()
    yield routes
    routes.replace_all(table)
    time.sleep(PAUSE_S)


def set_state(hosted: GatedOdoo, routes: Routes, state: str, message: str = "") -> None:
    routes.set_state(hosted.database(BIRCH), state, message=message)
    time.sleep(PAUSE_S)


# --- one host, one database


def test_each_host_name_opens_its_own_database(hosted: GatedOdoo) -> None:
    for label in (BIRCH, CEDAR):
        assert hosted.served(label) == label
        answer, _cookie = hosted.login(label, hosted.database(label))
        assert answer["result"]["db"] == hosted.database(label)


def test_a_session_of_one_database_is_nobody_on_another_host(hosted: GatedOdoo) -> None:
    _answer, cookie = hosted.login(CEDAR, hosted.database(CEDAR))
    cookies = {"session_id": cookie}
    mine = hosted.json_rpc(CEDAR, "/web/session/get_session_info", cookies=cookies)
    assert mine["result"]["uid"] == 2
    foreign = hosted.json_rpc(BIRCH, "/web/session/get_session_info", cookies=cookies)
    assert foreign["error"]["data"]["name"] == "odoo.http.SessionExpiredException"
    assert hosted.ask(BIRCH, "/odoo", cookies=cookies).status_code == 303


def test_nobody_logs_into_another_database_than_the_hosts(hosted: GatedOdoo) -> None:
    answer, _cookie = hosted.login(BIRCH, hosted.database(CEDAR))
    assert answer["error"]["data"]["message"] == "Database not found."


def test_the_header_cannot_name_another_database(hosted: GatedOdoo) -> None:
    headers = {"X-Odoo-Database": hosted.database(CEDAR)}
    for path in ("/web/login", "/json/2/res.users/search_count", "/json/version"):
        answer = hosted.ask(BIRCH, path, "POST", headers=headers, json={})
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("text/html")
    headers = {"X-Odoo-Database": hosted.database(BIRCH)}
    assert hosted.ask(BIRCH, "/web/login", headers=headers).status_code == 200


def test_the_query_cannot_name_another_database(hosted: GatedOdoo) -> None:
    query = f"?db={hosted.database(CEDAR)}"
    assert hosted.served(BIRCH, query) == BIRCH
    assert hosted.ask(BIRCH, f"/web/login{query}").status_code == 200


def test_xml_rpc_finds_the_hosts_own_database_only(hosted: GatedOdoo) -> None:
    assert hosted.xml_rpc(CEDAR, "common", "version")["server_serie"] == "19.0"
    own = (hosted.database(CEDAR), "admin", "admin", {})
    assert hosted.xml_rpc(CEDAR, "common", "authenticate", *own) == 2
    call = ("admin", "res.users", "search_count", [[("id", "=", 2)]])
    assert hosted.xml_rpc(CEDAR, "object", "execute_kw", own[0], 2, *call) == 1
    faults = {}
    for name in (own[0], hosted.database(UNROUTED), "nowhere", "postgres"):
        with pytest.raises(xmlrpc.client.Fault) as login:
            hosted.xml_rpc(BIRCH, "common", "authenticate", name, "admin", "admin", {})
        with pytest.raises(xmlrpc.client.Fault) as execute:
            hosted.xml_rpc(BIRCH, "object", "execute_kw", name, 2, *call)
        for fault in (login, execute):
            assert f'database "{name}" does not exist' in fault.value.faultString
        faults[name] = execute.value.faultString.replace(name, "X")
    assert len(set(faults.values())) == 1, "a database that exists must not look different"


def test_json_rpc_finds_the_hosts_own_database_only(hosted: GatedOdoo) -> None:
    def call(label: str, database: str) -> dict:
        args = [database, 2, "admin", "res.users", "search_count", []]
        params = {"service": "object", "method": "execute", "args": args}
        return hosted.json_rpc(label, "/jsonrpc", params=params)

    assert call(BIRCH, hosted.database(BIRCH))["result"] > 0
    assert "does not exist" in call(BIRCH, hosted.database(CEDAR))["error"]["data"]["message"]


def test_the_service_that_manages_databases_is_closed(hosted: GatedOdoo) -> None:
    for method, arguments in (("list", ()), ("db_exist", (hosted.database(BIRCH),))):
        with pytest.raises(xmlrpc.client.Fault, match="Access Denied"):
            hosted.xml_rpc(BIRCH, "db", method, *arguments)
    for path in ("/web/database/manager", "//web//database/list", "/fr/web/database/backup"):
        assert hosted.ask(BIRCH, path).status_code == 404
        assert hosted.ask(BIRCH, path, "POST", data={"master_pwd": "admin"}).status_code == 404


def test_a_forwarded_host_counts_only_behind_a_proxy(hosted: GatedOdoo) -> None:
    headers = {"X-Forwarded-Host": hosted.host(CEDAR)}
    assert hosted.served(BIRCH, headers=headers) == BIRCH


# --- what visitors see


def test_an_unknown_host_gets_a_page_of_its_own_in_its_language(hosted: GatedOdoo) -> None:
    for path in ("/", "/web/login", "/web/static/src/img/favicon.ico"):
        answer = hosted.ask("nowhere", path)
        assert answer.status_code == 404
        assert "There is no database at this address" in answer.text
    program = hosted.ask("nowhere", "/json/2/res.users/search", "POST", json={})
    assert program.status_code == 404
    assert program.headers["Content-Type"].startswith("text/html")
    french = hosted.ask("nowhere", "/", headers={"Accept-Language": "fr-CH, fr;q=0.9, en;q=0.8"})
    assert '<html lang="fr">' in french.text
    assert "Aucune base de données" in french.text
    assert hosted.ask("x", "/", headers={"Host": f"{hosted.host(CEDAR)}:x"}).status_code == 404
    assert hosted.ask("x", "/web/login", headers={"Host": "CEDAR.hosted.example:80"}).ok


def test_a_suspended_database_shows_the_operators_words_and_opens_by_no_way(
    hosted: GatedOdoo, routes: Routes
) -> None:
    _answer, cookie = hosted.login(BIRCH, hosted.database(BIRCH))
    set_state(hosted, routes, SUSPENDED, "Unpaid <b>since</b> May")
    page = hosted.ask(BIRCH, "/odoo", cookies={"session_id": cookie})
    assert page.status_code == 503
    assert "Unpaid &lt;b&gt;since&lt;/b&gt; May" in page.text
    assert "Retry-After" not in page.headers
    answer = hosted.ask(BIRCH, "/json/2/res.users/search", "POST", json={})
    assert (answer.status_code, answer.json()["name"]) == (503, "fleet.suspended")
    answer = hosted.ask(BIRCH, "/web/dataset/call_kw", "POST", json={})
    assert answer.json()["error"]["data"]["name"] == "fleet.suspended"
    assert hosted.ask(BIRCH, "/xmlrpc/2/common", "POST", data=b"").status_code == 503
    assert hosted.ask(CEDAR, "/web/login").status_code == 200


def test_a_pause_and_a_maintenance_ask_to_come_back(hosted: GatedOdoo, routes: Routes) -> None:
    for state, seconds in ((PAUSED, 5), (MAINTENANCE, 30)):
        set_state(hosted, routes, state)
        answer = hosted.ask(BIRCH, "/web/login")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, str(seconds))
        assert f'<meta http-equiv="refresh" content="{seconds}">' in answer.text
        assert "http://" not in answer.text and hosted.database(BIRCH) not in answer.text
    set_state(hosted, routes, ACTIVE)
    assert hosted.ask(BIRCH, "/web/login").status_code == 200


def test_a_broken_file_of_routes_changes_nothing_and_is_told(
    hosted: GatedOdoo, routes: Routes
) -> None:
    for spoil in (lambda: routes.path.write_text("{"), routes.path.unlink):
        spoil()
        time.sleep(PAUSE_S)
        assert hosted.ask(CEDAR, "/web/login").status_code == 200
        local = {"Host": "127.0.0.1"}
        health = hosted.ask("x", "/fleet/gate", headers=local).json()
        assert health["error"]["code"] == "routes_broken"
        assert health["routes"] == {"active": 2}


def test_the_health_answers_this_machine_only(hosted: GatedOdoo) -> None:
    local = {"Host": f"127.0.0.1:{hosted.port}"}
    health = hosted.ask("x", "/fleet/gate", headers=local).json()
    assert (health["gate"], health["databases"], health["error"]) == ("on", 2, None)
    for name, value in (
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-Real-IP", "203.0.113.7"),
        ("Forwarded", "for=203.0.113.7"),
        ("Via", "1.1 proxy"),
        ("Host", "a.b"),
    ):
        assert hosted.ask("x", "/fleet/gate", headers=local | {name: value}).status_code == 404
    assert hosted.ask(CEDAR, "/fleet/gate").status_code == 404


# --- beside HTTP


def test_crons_run_for_active_databases_only(hosted: GatedOdoo, routes: Routes) -> None:
    name = "Base: Auto-vacuum internal data"

    def make_due(*labels: str) -> None:
        for label in labels:
            hosted.sql(
                label,
                "UPDATE ir_cron SET lastcall = NULL, nextcall = '2020-01-01' WHERE cron_name = %s",
                name,
            )

    def ran(label: str) -> bool:
        # Again and again: nobody hears it while the cron thread opens its connection anew.
        with postgres.cursor() as cr:
            for each in (UNROUTED, BIRCH, CEDAR):
                cr.execute("SELECT pg_notify('cron_trigger', %s)", [hosted.database(each)])
        query = "SELECT lastcall FROM ir_cron WHERE cron_name = %s"
        return bool(hosted.sql(label, query, name)[0][0])

    make_due(UNROUTED, BIRCH, CEDAR)
    wait_until(lambda: ran(CEDAR) and ran(BIRCH))
    assert not ran(UNROUTED)
    # The worker's list still names the database that is suspended now.
    set_state(hosted, routes, SUSPENDED)
    make_due(BIRCH, CEDAR)
    wait_until(lambda: ran(CEDAR))
    assert not ran(BIRCH)
    assert "Exception in cron" not in hosted.log.read_text(), "it was not even tried"


def in_process(hosted: GatedOdoo, source: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a process of Odoo that loads its server-wide modules like a server."""
    arguments = [f"--config={paths.ODOO_CONF}", f"--data-dir={hosted.data_dir}", *options]
    head = "import odoo, odoo.http, odoo.service.server as server\nfrom odoo.tools import config\n"
    text = f"{head}config.parse_config({arguments!r}, setup_logging=False)\n{source}"
    return subprocess.run(
        [str(paths.PYTHON), "-c", text],
        env=odoo_run.environment(),
        cwd=paths.RUN,
        capture_output=True,
        text=True,
        check=False,
    )


ASK = """
server.load_server_wide_modules()
from odoo.addons.fleet_saas_server.gate import application, guard
birch, cedar = {databases!r}
print(odoo.service.db.list_dbs(True) == server.cron_database_list() == [cedar])
print(odoo.http.db_filter([birch, cedar], host="cedar.hosted.example:80") == [cedar])
print(odoo.http.db_list(True, host="birch.hosted.example") == [])
print(odoo.http.db_filter([birch], host="birch.hosted.example") == [])
print(application._is_local({{"REMOTE_ADDR": "127.0.0.1"}}, "localhost:80"))
print(not application._is_local({{"REMOTE_ADDR": "10.1.1.1"}}, "localhost:80"))
print(guard.host_header({{"HTTP_HOST": "a.b", "HTTP_X_FORWARDED_HOST": "c.d"}}))
"""


def test_the_lists_of_databases_are_the_active_routes(hosted: GatedOdoo, routes: Routes) -> None:
    set_state(hosted, routes, SUSPENDED)
    source = ASK.format(databases=[hosted.database(BIRCH), hosted.database(CEDAR)])
    result = in_process(hosted, source, LOAD)
    assert result.stdout.split() == ["True"] * 6 + ["a.b"], result.stderr
    result = in_process(hosted, source, LOAD, "--proxy-mode")
    assert result.stdout.split() == ["True"] * 6 + ["c.d"], result.stderr


def test_the_master_password_opens_nothing(hosted: GatedOdoo) -> None:
    source = """
server.load_server_wide_modules()
config["admin_passwd"] = "known"
try:
    odoo.service.db.check_super("known")
except odoo.exceptions.AccessDenied:
    print("denied")
"""
    assert in_process(hosted, source, LOAD).stdout.split() == ["denied"]
    assert in_process(hosted, source, "--load=base,rpc,web").stdout == ""


def test_a_process_that_does_not_load_the_addon_is_left_as_it_is(hosted: GatedOdoo) -> None:
    source = """
before = odoo.http.db_filter, odoo.http.Application.__call__
server.load_server_wide_modules()
import odoo.addons.fleet_saas_server
print(before == (odoo.http.db_filter, odoo.http.Application.__call__))
"""
    assert in_process(hosted, source, "--load=base,rpc,web").stdout.split() == ["True"]


def test_a_hosted_process_has_the_gate_and_nothing_else_of_the_addon(hosted: GatedOdoo) -> None:
    source = """
server.load_server_wide_modules()
print(odoo.service.db.list_dbs(True))
import sys
parts = {name.split(".")[3] for name in sys.modules if name.startswith("odoo.addons.fleet_saas_server.")}
print(sorted(parts))
"""
    result = in_process(hosted, source, LOAD)
    databases = [hosted.database(BIRCH), hosted.database(CEDAR)]
    assert result.stdout.splitlines() == [str(databases), "['gate', 'hosting']"]


VERSIONS = """
made = env["ir.qweb"]._get_asset_bundle("web.assets_web", css=True, js=True)
print(made.get_version("js"), made.get_version("css"))
"""


def test_the_web_client_is_made_of_the_same_files_as_in_an_odoo_without_the_gate(
    hosted: GatedOdoo,
) -> None:
    _answer, session = hosted.login(CEDAR, hosted.database(CEDAR))
    page = hosted.ask(CEDAR, "/odoo", headers={"Cookie": f"session_id={session}"}).text
    log = paths.LOG / f"{hosted.name}-script.log"
    found = odoo_run.script(hosted.database(CEDAR), VERSIONS, log=log, what="the versions")
    js, css = found.split()[-2:]
    # A template was prepared there: with other files every new database would make its own.
    assert f"/web/assets/{js}/web.assets_web.min.js" in page
    assert f"/web/assets/{css}/web.assets_web.min.css" in page


def test_a_process_whose_gate_does_not_fit_does_not_start(hosted: GatedOdoo) -> None:
    for spoil in (
        "odoo.http.db_filter = lambda dbs: dbs",
        "del odoo.service.server.list_dbs; del odoo.service.db.list_dbs",
        "odoo.modules.registry.Registry.__new__ = lambda cls, db_name, more: None",
    ):
        result = in_process(hosted, f"{spoil}\nserver.load_server_wide_modules()\n", LOAD)
        assert result.returncode == 1
        assert "The gate cannot be put in" in result.stderr


def test_requests_are_counted_for_each_database(hosted: GatedOdoo) -> None:
    """The last test of the file: it stops the process."""
    today = datetime.now(timezone.utc).date()
    folder = hosted.work_dir / "requests"
    for _number in range(3):
        hosted.ask(CEDAR, "/web/login")
        hosted.ask("nowhere", "/web/login")
    hosted.server.stop()
    counts = requests_of(folder, today)
    assert set(counts) == {hosted.database(BIRCH), hosted.database(CEDAR)}
    assert counts[hosted.database(CEDAR)] >= 3
    assert len(os.listdir(folder / today.isoformat())) == 1, "a process has one file a day"
