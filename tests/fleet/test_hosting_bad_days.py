"""Bad days of a hosting server: killed, cut off from PostgreSQL, unheard, without its helpers."""

from __future__ import annotations

import json
import os
import random
import socket
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from support import hosting_templates
from support.hosting_fleet import HostingFleet
from support.hosting_templates import assert_settled
from support.sinks import wait_until

from fleetdev import databases

ALLOWED = (
    # A process that is killed, or whose connections are, has something to say about it.
    r"odoo\.sql_db: ",
    r"terminating connection|server closed the connection|connection already closed",
    r"odoo\.addons\.queue_job\.",
    r"odoo\.addons\.fleet_saas_server\.hosting\.",
    r"odoo\.(http|service\.server|modules\.registry): ",
    r"odoo\.addons\.base\.models\.ir_cron: ",
    r"werkzeug: ",
)
GO_ON_S = 60
WITHOUT_RUNNER = "--load=base,rpc,web"


@pytest.fixture(scope="module")
def fleet() -> Iterator[HostingFleet]:
    with HostingFleet("bad_days", allowed=ALLOWED) as fleet:
        hosting_templates.settle(fleet)
        hosting_templates.publish(fleet, "tiny", databases.template("tiny"))
        fleet.run("create", name_of("source"), {"template": "tiny"})
        yield fleet


def name_of(label: str) -> str:
    return f"bad-{label}-{os.getpid()}"


def create(fleet: HostingFleet, name: str, **arguments: Any) -> str:
    return fleet.submit("create", name, {"template": "tiny", **arguments})


def kill_and_restart(fleet: HostingFleet, after: float) -> None:
    """Kill the control process after some seconds and start it again."""
    time.sleep(after)
    fleet.control.kill()
    fleet.control.start()


# --- the control process is killed


@pytest.mark.parametrize("after", [0.2, 1.2])
def test_creates_and_duplicates_end_although_the_control_process_was_killed(
    fleet: HostingFleet, after: float
) -> None:
    label = f"kill{round(after * 10)}"
    source = name_of("source")
    keys = [create(fleet, name_of(f"{label}-{number}")) for number in range(2)]
    keys.append(fleet.submit("duplicate", name_of(f"{label}-copy"), {"source": source}))
    chance = random.Random(f"{after}")
    kill_and_restart(fleet, after + chance.uniform(0, 0.3))
    states = assert_settled(fleet, *keys)
    assert set(states.values()) <= {"done", "failed"}
    assert fleet.get(source).status_code == 200, "the source is open again"


def test_a_drop_ends_although_the_control_process_was_killed(fleet: HostingFleet) -> None:
    name = name_of("drop")
    fleet.run("create", name, {"template": "tiny"})
    fleet.run("archive", name)
    fleet.run("backup", name)
    fleet.run("verify", name)
    key = fleet.submit("drop", name, {"without_grace": True})
    kill_and_restart(fleet, 0.3)
    states = assert_settled(fleet, key)
    assert states == {name: "done"}
    assert name not in fleet.made()
    assert not fleet.filestore(name).exists()
    assert fleet.get(name).status_code == 404


# --- PostgreSQL ends every connection


def ports_of(process: int) -> list[int]:
    """Return the local ports of a process's connections, and of its children's."""
    parent = psutil.Process(process)
    every = [parent, *parent.children(recursive=True)]
    return [found.laddr.port for each in every for found in each.net_connections("tcp")]


@pytest.mark.parametrize("after", [0.1, 0.8])
def test_an_operation_ends_although_all_connections_of_its_process_broke(
    fleet: HostingFleet, after: float
) -> None:
    keys = [create(fleet, name_of(f"cut{round(after * 10)}"))]
    time.sleep(after)
    ports = ports_of(fleet.control.server.pid())
    ended = fleet.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE client_port = ANY(%s)",
        ports,
        database="postgres",
    )
    assert len(ended) >= 2, "its own and those of the operation"
    # Whoever ran them goes on by himself; the scheduled action would come after a minute or two.
    states = assert_settled(fleet, *keys, seconds=GO_ON_S)
    assert set(states.values()) <= {"done", "failed"}


# --- the answer is lost


def test_a_lost_answer_and_another_try_make_nothing_twice(fleet: HostingFleet) -> None:
    name, key = name_of("lost"), "lost:answer"
    arguments = {"template": "tiny"}
    body = {"kind": "create", "target": name, "key": key, "arguments": arguments}
    hang_up(fleet, body)
    again = [fleet.call("submit", **body) for _again in range(3)]
    assert [answer.status_code for answer in again] == [200] * 3
    assert len({answer.json()["operation"] for answer in again}) == 1
    assert assert_settled(fleet, key) == {name: "done"}
    answer = fleet.call("submit", **body)
    assert answer.json()["state"] == "done"
    query = "SELECT count(*) FROM saas_operation WHERE target = %s"
    assert fleet.rows(query, name) == [(1,)]


def hang_up(fleet: HostingFleet, body: dict[str, Any]) -> None:
    """Ask for an operation and leave before the answer."""
    data = json.dumps(body).encode()
    head = (
        f"POST /json/2/saas.host/submit HTTP/1.1\r\nHost: localhost:{fleet.control.port}\r\n"
        f"Authorization: bearer {fleet.keys['agent']}\r\nX-Odoo-Database: {fleet.database}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", fleet.control.port), timeout=10) as opened:
        opened.sendall(head.encode() + data)


def test_an_operation_has_ended_only_when_its_records_say_so(fleet: HostingFleet) -> None:
    """Otherwise whoever hears of the end and asks for the next operation is refused."""
    key = fleet.submit("check", "server")
    done = fleet.wait(key)
    change = "UPDATE saas_operation SET applied = %s WHERE key = %s RETURNING id"
    fleet.rows(change, False, key)
    status = fleet.status(key)[key]
    assert (status["state"], status["ended"]) == ("running", None)
    fleet.rows(change, True, key)
    assert fleet.status(key)[key] == done


# --- helpers are missing


def test_without_the_hosted_process_a_create_waits_in_words_and_ends_when_it_is_back(
    fleet: HostingFleet,
) -> None:
    fleet.hosted.stop()
    name = name_of("alone")
    key = create(fleet, name)
    wait_until(lambda: fleet.status(key)[key]["error"], "it could not reach the process")
    status = fleet.status(key)[key]
    assert (status["state"], status["error"]["code"]) == ("queued", "page_unreachable")
    assert "does not answer" in status["error"]["message"]
    assert "does not answer" in (status["waits"] or ""), "the form says it too"
    fleet.hosted.start()
    assert assert_settled(fleet, key) == {name: "done"}


def test_without_the_runner_the_scheduled_action_works_and_the_health_page_says_so(
    fleet: HostingFleet,
) -> None:
    """The last test of the file: the runner does not come back."""
    assert health(fleet)["state"] == "green"
    fleet.control.restart(WITHOUT_RUNNER)
    fleet.wait_cron()
    jobs = fleet.rows("SELECT count(*) FROM queue_job")
    name = name_of("cron")
    assert assert_settled(fleet, create(fleet, name)) == {name: "done"}
    assert fleet.rows("SELECT count(*) FROM queue_job") == jobs
    row = health(fleet)
    assert row["state"] == "amber"
    assert "queue_job" in row["todo"]


def health(fleet: HostingFleet) -> dict[str, str]:
    """Return what the Health page says of the runner."""
    ask = {"model": "saas.health", "user": "admin"}
    [number] = fleet.call("create", **ask, vals_list=[{}]).json()
    [screen] = fleet.call("read", **ask, ids=[number], fields=["rows"]).json()
    return next(row for row in screen["rows"] if row["key"] == "runner")
