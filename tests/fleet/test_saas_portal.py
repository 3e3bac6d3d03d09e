"""A portal and a hosting server as real processes: what is asked for happens, once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from lxml import html
from support.odoo_fleet import resolve_localhost_names
from support.saas_fleet import SaasFleet

# What the tests provoke on purpose.
EXPECTED = (
    r"odoo\.http: The name twice is taken",
    r"odoo\.http: The database forgotten does not exist",
    r"odoo\.http: Your plan",
)


@pytest.fixture(scope="module")
def saas() -> Iterator[SaasFleet]:
    with SaasFleet("saas_portal", allowed=EXPECTED, source="hosted") as saas:
        yield saas


def test_an_instance_is_created_and_answers(saas: SaasFleet) -> None:
    instance = saas.create("acme", admin_login="ann@example.com", admin_name="Ann")
    found = saas.wait_state(instance, "active", "failed")
    assert (found["state"], found["problem"]) == ("active", False)
    assert saas.servers["one"].get("acme").status_code == 200
    assert found["project_id"], "it is in the fleet list"


def test_a_name_that_the_server_has_is_refused_in_its_words(saas: SaasFleet) -> None:
    first = saas.create("twice")
    saas.wait_state(first, "active")
    saas.rows("UPDATE saas_instance SET name = 'forgotten' WHERE id = %s RETURNING id", first)
    second = saas.create("twice")
    found = saas.wait_state(second, "failed")
    assert "twice" in found["problem"]


def test_it_is_suspended_and_resumed(saas: SaasFleet) -> None:
    instance = saas.create("pause")
    saas.wait_state(instance, "active")
    saas.call("saas.instance", "action_suspend", ids=[instance])
    saas.wait_state(instance, "suspended")
    assert saas.servers["one"].get("pause").status_code == 503
    saas.call("saas.instance", "action_resume", ids=[instance])
    saas.wait_state(instance, "active")
    assert saas.servers["one"].get("pause").status_code == 200


def test_what_was_asked_while_the_portal_is_down_is_known_after_its_start(saas: SaasFleet) -> None:
    instance = saas.create("sleepy")
    saas.portal.server.kill()
    saas.portal.start()
    # By itself the portal goes on a minute after its start.
    saas.wait_state(instance, "active", timeout=180)
    server = saas.servers["one"]
    made = server.rows("SELECT count(*) FROM saas_operation WHERE target = 'sleepy'")
    assert made == [(1,)]


# --- what a database is told, and who comes in


def browser(saas: SaasFleet, login: str) -> requests.Session:
    """Return a browser that is logged in to the portal."""
    found = requests.Session()
    database = saas.portal.database("portal")
    asked = {"params": {"db": database, "login": login, "password": login}}
    url = f"{saas.portal.url('portal')}/web/session/authenticate"
    assert found.post(url, json=asked, timeout=60).json()["result"]["uid"]
    return found


def make_customer(saas: SaasFleet, login: str) -> int:
    """Make a portal user whose password is the login; return the partner."""
    [[group]] = saas.rows(
        "SELECT res_id FROM ir_model_data WHERE module = 'base' AND name = 'group_portal'"
    )
    values = {"name": login, "login": login, "email": login, "password": login}
    values["group_ids"] = [[6, 0, [group]]]
    [user] = saas.call("res.users", "create", vals_list=[values])
    return saas.read("res.users", user, "partner_id")["partner_id"][0]


def enter(saas: SaasFleet, visitor: requests.Session, path: str) -> requests.Session:
    """Open a page with a ticket and send it on, as a browser does; return the database's session."""
    page = visitor.get(saas.portal.url("portal") + path, timeout=60)
    assert page.status_code == 200, page.text
    [form] = html.fromstring(page.text).forms
    inside = requests.Session()
    answer = inside.post(form.action, form.fields, allow_redirects=False, timeout=60)
    assert answer.status_code == 303, answer.text
    return inside


def rpc(inside: requests.Session, url: str, path: str, **params: Any) -> dict[str, Any]:
    return inside.post(url + path, json={"params": params}, timeout=60).json()


def add_user(inside: requests.Session, url: str, login: str) -> str:
    """Make a user in a hosted database; return the refusal's words, "" without one."""
    values = {"name": login, "login": login}
    call = {"model": "res.users", "method": "create", "args": [[values]], "kwargs": {}}
    answer = rpc(inside, url, "/web/dataset/call_kw/res.users/create", **call)
    return answer["error"]["data"]["message"] if "error" in answer else ""


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"it did not come within {seconds} s"
        time.sleep(0.2)
    return found


def test_the_customer_comes_in_by_a_ticket_and_the_portals_limits_hold(saas: SaasFleet) -> None:
    resolve_localhost_names()
    login = "ann@acme.example"
    instance = saas.create(
        "door", partner_id=make_customer(saas, login), admin_login=login, max_users=1
    )
    saas.wait_state(instance, "active")
    found = wait_for(lambda: saas.read("saas.instance", instance, "uuid", "url")["uuid"])
    url = saas.read("saas.instance", instance, "url")["url"]
    inside = enter(saas, browser(saas, login), f"/my/databases/connect/{found}")
    who = rpc(inside, url, "/web/session/get_session_info")["result"]["username"]
    assert who == login
    assert add_user(inside, url, "second@acme.example"), "one user is the limit"
    saas.call("saas.instance", "write", ids=[instance], vals={"max_users": 2})
    wait_for(lambda: not add_user(inside, url, "second@acme.example"))
    assert add_user(inside, url, "third@acme.example"), "two users are the limit"
    lines = "SELECT user_name, login, is_operator FROM saas_access_log WHERE instance_id = %s"
    assert saas.rows(lines, instance) == [(login, login, False)]


def test_an_operator_comes_in_with_a_reason_that_both_sides_keep(saas: SaasFleet) -> None:
    resolve_localhost_names()
    instance = saas.create("visit", admin_login="bea@acme.example")
    saas.wait_state(instance, "active")
    wait_for(lambda: saas.read("saas.instance", instance, "uuid")["uuid"])
    values = {"instance_id": instance, "reason": "Ticket 4711"}
    [wizard] = saas.call("saas.connect.wizard", "create", vals_list=[values])
    action = saas.call("saas.connect.wizard", "action_connect", ids=[wizard])
    enter(saas, browser(saas, "admin"), action["url"])
    lines = "SELECT reason, is_operator, number FROM saas_access_log WHERE instance_id = %s"
    [(reason, is_operator, _number)] = saas.rows(lines, instance)
    assert (reason, is_operator) == ("Ticket 4711", True)
    told = saas.servers["one"].rows("SELECT reason FROM saas_access", database="visit")
    assert told == [("Ticket 4711",)]


def test_a_notice_arrives_in_the_database_and_goes_when_it_is_withdrawn(saas: SaasFleet) -> None:
    resolve_localhost_names()
    login = "nora@acme.example"
    customer = make_customer(saas, login)
    instance = saas.create("news", partner_id=customer, admin_login=login)
    other = saas.create("quiet")
    saas.wait_state(instance, "active")
    saas.wait_state(other, "active")
    uuid = wait_for(lambda: saas.read("saas.instance", instance, "uuid")["uuid"])
    url = saas.read("saas.instance", instance, "url")["url"]
    inside = enter(saas, browser(saas, login), f"/my/databases/connect/{uuid}")
    values = {
        "name": "Sunday",
        "text": "On Sunday we move to a larger machine.",
        "kind": "maintenance",
        "audience": "instances",
        "instance_ids": [[6, 0, [instance]]],
    }
    [notice] = saas.call("saas.notice", "create", vals_list=[values])
    saas.call("saas.notice", "action_publish", ids=[notice])
    assert wait_for(lambda: banner(inside, url, "maintenance")) == [values["text"]]
    found = saas.read("saas.notice", notice, "state", "recipient_count", "failed_count")
    assert (found["state"], found["recipient_count"], found["failed_count"]) == ("shown", 1, 0)
    wait_for(lambda: saas.read("saas.notice", notice, "told_count")["told_count"] == 1)
    told = "SELECT document_told->'notices' FROM saas_instance WHERE id = %s"
    assert saas.rows(told, other) == [([],)]
    saas.call("saas.notice", "action_withdraw", ids=[notice])
    wait_for(lambda: not banner(inside, url, "maintenance"))


def test_a_password_link_is_mailed_works_once_and_is_kept_nowhere(saas: SaasFleet) -> None:
    resolve_localhost_names()
    login = "lea@acme.example"
    # Without an access an operator sends it to nobody but the customer.
    customer = {"name": "Acme", "email": login}
    [partner] = saas.call("res.partner", "create", vals_list=[customer])
    instance = saas.create("forgetful", admin_login=login, partner_id=partner)
    saas.wait_state(instance, "active")
    saas.call("saas.instance", "action_send_password_link", ids=[instance])
    mail = "SELECT body_html FROM mail_mail WHERE email_to = %s"
    [(body,)] = wait_for(lambda: saas.rows(mail, login))
    link = html.fromstring(body).xpath("//a/@href")[0]
    assert link.startswith(saas.read("saas.instance", instance, "url")["url"])
    visitor = requests.Session()
    [form] = html.fromstring(visitor.get(link, timeout=60).text).xpath("//form[@method='post']")
    fields = dict(form.fields) | {"password": "correct horse", "confirm_password": "correct horse"}
    assert visitor.post(link, fields, timeout=60).status_code == 200
    asked = {"params": {"db": "forgetful", "login": login, "password": "correct horse"}}
    url = link.partition("/web/")[0] + "/web/session/authenticate"
    assert requests.post(url, json=asked, timeout=60).json()["result"]["username"] == login
    token = link.partition("token=")[2].partition("&")[0]
    kept = saas.rows("SELECT count(*) FROM saas_request WHERE steps::text LIKE %s", f"%{token}%")
    assert kept == [(0,)]
    assert saas.rows("SELECT link_key FROM saas_instance WHERE id = %s", instance) == [(None,)]


def banner(inside: requests.Session, url: str, kind: str) -> list[str]:
    """Return the texts of one kind that stand on top of every page."""
    notices = rpc(inside, url, "/fleet/notices")["result"]["notices"]
    return [each["text"] for each in notices if each["kind"] == kind]
