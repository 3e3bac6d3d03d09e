"""The portal is killed, or does not hear its server: nothing happens twice, and both agree at last."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from support.faulty_proxy import FaultyProxy
from support.saas_fleet import SaasFleet
from support.sinks import SmtpSink
from support.visitors import mails, send_to, wait_for

# What the portal tells databases by itself, as often as it has to.
TELLING = ["document", "domains", "monitor"]
SUBMIT, STATUS = "/json/2/saas.host/submit", "/json/2/saas.host/status"
ALLOWED = (
    # A server whose answer was lost is asked again; the one that was cut off says so.
    r"odoo\.addons\.fleet_saas_portal",
    r"odoo\.http: ",
    r"werkzeug",
)


@pytest.fixture(scope="module")
def sink() -> Iterator[SmtpSink]:
    with SmtpSink() as sink:
        yield sink


@pytest.fixture(scope="module")
def saas(sink: SmtpSink) -> Iterator[SaasFleet]:
    with SaasFleet("saas_lost", allowed=ALLOWED, crons=("Mail: Email Queue Manager%",)) as saas:
        send_to(saas, sink)
        yield saas


def order(saas: SaasFleet, *names: str) -> list[int]:
    """Order databases for a customer each, all at once; return the instances."""
    plan = {"name": names[0], "code": names[0], "template_id": saas.template, "price": 30}
    [plan_id] = saas.call("saas.plan", "create", vals_list=[plan])
    customers = [{"name": name, "email": f"{name}@example.com"} for name in names]
    partners = saas.call("res.partner", "create", vals_list=customers)
    values = [
        {"name": name, "plan_id": plan_id, "partner_id": partner}
        for name, partner in zip(names, partners, strict=True)
    ]
    instances = saas.call("saas.instance", "create", vals_list=values)
    saas.call("saas.instance", "action_create", ids=instances)
    return instances


def operations(saas: SaasFleet, *names: str) -> list[tuple[str, str, str]]:
    """Return key, target and state of what the server did to databases, but telling them things."""
    query = (
        "SELECT key, target, state FROM saas_operation WHERE target = ANY(%s) AND kind <> ALL(%s)"
    )
    return sorted(saas.servers["one"].rows(query, list(names), TELLING))


def assert_agreed(saas: SaasFleet, *names: str) -> None:
    """Check that what the portal has asked is what the server has done, each once."""
    query = "SELECT key, target, state FROM saas_request WHERE target = ANY(%s) AND kind <> ALL(%s)"
    asked = sorted(saas.rows(query, list(names), TELLING))
    assert asked == operations(saas, *names)
    rows = saas.servers["one"].rows(
        "SELECT name, count(*) FROM saas_database WHERE name = ANY(%s) GROUP BY name", list(names)
    )
    assert sorted(rows) == sorted((name, 1) for name in names)


def assert_told_once(saas: SaasFleet, sink: SmtpSink, *names: str) -> None:
    """Check that each customer has got the one mail, and gets no other."""
    [[cron]] = saas.rows(
        "SELECT res_id FROM ir_model_data WHERE name = 'ir_cron_mail_scheduler_action'"
    )

    def sent() -> bool:
        # It may be refused, as the portal does it by itself, and meet somebody who posts.
        saas.portal.ask("portal", saas.key, "ir.cron", "method_direct_trigger", ids=[cron])
        return not saas.rows("SELECT 1 FROM mail_mail WHERE state = 'outgoing'")

    wait_for(sent)
    for name in names:
        told = [mail["subject"] for mail in mails(sink, f"{name}@example.com")]
        assert told == [f"Your database {name} is ready"], (name, told)


@pytest.mark.parametrize("moment", ["at once", "accepted", "half way", "done"])
def test_the_portal_is_killed_while_the_server_works(
    saas: SaasFleet, sink: SmtpSink, moment: str
) -> None:
    names = [f"{moment.replace(' ', '')}-{number}" for number in range(3)]
    instances = order(saas, *names)
    wait_for_moment(saas, names, moment)
    saas.portal.server.kill()
    wait_for(lambda: moment == "at once" or all_done(saas, names), 120)
    saas.portal.start()
    # By itself the portal goes on a minute after its start.
    hasten(saas, instances, "active")
    assert_agreed(saas, *names)
    assert_told_once(saas, sink, *names)


def wait_for_moment(saas: SaasFleet, names: list[str], moment: str) -> None:
    """Wait until the server has accepted all orders, has done one of them, or all."""
    if moment == "accepted":
        wait_for(lambda: len(operations(saas, *names)) == len(names))
    elif moment == "half way":
        wait_for(lambda: any(state == "done" for _key, _target, state in operations(saas, *names)))
    elif moment == "done":
        wait_for(lambda: all_done(saas, names))


def all_done(saas: SaasFleet, names: list[str]) -> bool:
    states = [state for _key, _target, state in operations(saas, *names)]
    return states == ["done"] * len(names)


# --- the way between them


@pytest.fixture
def proxy(saas: SaasFleet) -> Iterator[FaultyProxy]:
    """Put a proxy between the portal and its server."""
    record, server = saas.records["one"], saas.servers["one"]

    def lead_to(port: int) -> None:
        # The key that is known is not sent to another address.
        vals = {"url": f"http://localhost:{port}", "api_key": server.keys["agent"]}
        saas.call("saas.server", "write", ids=[record], vals=vals)

    with FaultyProxy(server.control.port) as proxy:
        lead_to(proxy.port)
        yield proxy
        lead_to(server.control.port)


def hasten(saas: SaasFleet, instances: list[int], *states: str) -> None:
    """Wait for the instances as somebody does who presses the button to ask again at once."""
    end = time.monotonic() + 90
    while True:
        requests = saas.call("saas.request", "search", domain=[("is_open", "=", True)])
        found = saas.call("saas.instance", "read", ids=instances, fields=["state", "problem"])
        if not requests and all(each["state"] in states for each in found):
            return
        assert time.monotonic() < end, found
        if requests:
            saas.call("saas.request", "action_send_now", ids=requests[:1])
        time.sleep(0.4)


def break_everything(proxy: FaultyProxy) -> None:
    """Let each call meet every way of going wrong, before the server has worked and after it."""
    for path in (SUBMIT, STATUS):
        proxy.cut_after(9, path=path, times=1)  # it comes to the server in part
        proxy.lose(path=path, times=2)  # done, and nothing comes back
        proxy.status(500, path=path, times=1)  # no answer of the server's, and nothing done
        proxy.lose(30, path=path, times=1)  # done, and a part comes back
        proxy.swallow(method="POST", path=path, times=1)  # a good answer of somebody else
        proxy.status(503, path=path, times=1)
        proxy.lose(path=path, times=1)


def test_answers_are_lost_and_nothing_happens_twice(
    saas: SaasFleet, sink: SmtpSink, proxy: FaultyProxy
) -> None:
    names = ["lost-one", "lost-two"]
    break_everything(proxy)
    instances = order(saas, *names)
    hasten(saas, instances, "active")
    assert_agreed(saas, *names)
    for action, state in (
        ("action_backup", "active"),
        ("action_suspend", "suspended"),
        ("action_resume", "active"),
    ):
        proxy.clear()
        break_everything(proxy)
        saas.call("saas.instance", action, ids=instances)
        hasten(saas, instances, state)
    assert_agreed(saas, *names)
    assert len(operations(saas, *names)) == 4 * len(names)
    backups = "SELECT count(*) FROM saas_backup b JOIN saas_database d ON d.id = b.database_id "
    assert saas.servers["one"].rows(f"{backups} WHERE d.name = ANY(%s)", names) == [(len(names),)]
    assert set(names) <= set(saas.servers["one"].made())
    assert_told_once(saas, sink, *names)
    lost = [seen for seen in proxy.requests if seen.fault]
    assert len(lost) > 20, "the faults were met"
