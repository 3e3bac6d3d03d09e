"""Many at once: one winner, clear refusals, nothing twice, and nobody waits for a stranger."""

from __future__ import annotations

import os
import statistics
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from support import hosting_templates
from support.hosting_fleet import HostingFleet
from support.sinks import wait_until

from fleetdev import databases

RIVALS = 100
SAME = 20
START_S = 0.5
REFUSALS = (
    r"odoo\.http: .* is (already )?taken",
    r"odoo\.http: .* was used before for another request",
    r"odoo\.(http|service\.model): .*(could not serialize|[Cc]oncurrency|idempotency key)",
    r"odoo\.sql_db: bad query: .*saas_(database|operation)",
)


@pytest.fixture(scope="module")
def fleet() -> Iterator[HostingFleet]:
    with HostingFleet("rivals", allowed=REFUSALS, hosted=False) as fleet:
        hosting_templates.settle(fleet)
        hosting_templates.publish(fleet, "tiny", databases.template("tiny"))
        yield fleet


def at_once(count: int, ask: Callable[[int], requests.Response]) -> list[requests.Response]:
    """Ask ``count`` times in the same moment and return the answers."""
    barrier = threading.Barrier(count)

    def wait_and_ask(number: int) -> requests.Response:
        barrier.wait(30)
        return ask(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(wait_and_ask, range(count)))


def name_of(label: str) -> str:
    return f"rival-{label}-{os.getpid()}"


def cancel(fleet: HostingFleet, key: str) -> None:
    """End an operation that would wait for the hosted process, which does not run here."""
    number = fleet.status(key)[key]["operation"]
    fleet.call("action_cancel", model="saas.operation", user="admin", ids=[number])
    assert fleet.wait(key)["state"] == "cancelled"
    assert fleet.status(key)[key]["error"]["code"] == "cancelled"


def test_of_a_hundred_rivals_for_one_name_one_wins_and_the_others_hear_why(
    fleet: HostingFleet,
) -> None:
    name = name_of("name")

    def ask(number: int) -> requests.Response:
        return fleet.call(
            "submit",
            kind="create",
            target=name,
            key=f"rival:{number:04}",
            arguments={"template": "tiny"},
        )

    answers = at_once(RIVALS, ask)
    assert Counter(answer.status_code for answer in answers) == {200: 1, 422: RIVALS - 1}
    [winner] = [answer.json() for answer in answers if answer.ok]
    assert (winner["kind"], winner["target"]) == ("create", name)
    for answer in answers:
        if not answer.ok:
            assert name in answer.json()["message"]
            assert "Traceback" not in answer.json()["message"]
    assert len({answer.json()["message"] for answer in answers if not answer.ok}) == 1
    assert records(fleet, name) == (1, 1)
    cancel(fleet, winner["key"])


def records(fleet: HostingFleet, name: str) -> tuple[int, int]:
    """Return how many databases and operations of a name are recorded."""
    [row] = fleet.rows(
        "SELECT (SELECT count(*) FROM saas_database WHERE name = %s), "
        "(SELECT count(*) FROM saas_operation WHERE target = %s)",
        name,
        name,
    )
    return row


def test_the_same_request_asked_twenty_times_at_once_is_one_operation(fleet: HostingFleet) -> None:
    name = name_of("same")
    request = {"kind": "create", "target": name, "key": "same:0001"}
    answers = at_once(
        SAME, lambda _number: fleet.call("submit", **request, arguments={"template": "tiny"})
    )
    assert [answer.status_code for answer in answers] == [200] * SAME, answers[0].text
    told = {identity(answer.json()) for answer in answers}
    assert len(told) == 1
    assert records(fleet, name) == (1, 1)
    other = fleet.call("submit", **request, arguments={"template": "tiny", "purpose": "trial"})
    assert other.status_code == 409
    assert "same:0001" in other.json()["message"]
    cancel(fleet, "same:0001")


def identity(status: dict[str, Any]) -> tuple:
    """Return what of a status does not change while the operation runs."""
    return (
        *(status[name] for name in ("key", "operation", "kind", "target", "asked")),
        tuple(step["name"] for step in status["steps"]),
    )


def test_one_key_with_twenty_different_requests_is_one_operation(fleet: HostingFleet) -> None:
    names = [name_of(f"key{number}") for number in range(SAME)]
    answers = at_once(
        SAME,
        lambda number: fleet.call(
            "submit",
            kind="create",
            target=names[number],
            key="same:0002",
            arguments={"template": "tiny"},
        ),
    )
    assert Counter(answer.status_code for answer in answers) == {200: 1, 409: SAME - 1}
    assert sorted(records(fleet, name) for name in names) == [(0, 0)] * (SAME - 1) + [(1, 1)]
    cancel(fleet, "same:0002")


def test_operations_on_different_targets_run_at_the_same_time(
    fleet: HostingFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet.control.restart(
        FLEET_TEST_FAILPOINTS_ALLOWED="1", FLEET_FAILPOINTS="create.copy.before=sleep:3"
    )
    fleet.wait_runner()
    names = [name_of(f"par{number}") for number in range(3)]
    keys = [fleet.submit("create", name, {"template": "tiny"}) for name in names]
    query = (
        "SELECT s.started, s.ended, extract(epoch FROM o.started - o.create_date) "
        "FROM saas_operation o JOIN saas_operation_step s ON s.operation_id = o.id "
        "WHERE o.key = ANY(%s) AND s.name = 'copy' AND s.ended IS NOT NULL"
    )
    wait_until(lambda: len(fleet.rows(query, keys)) == len(keys), "all were copied")
    rows = fleet.rows(query, keys)
    assert max(row[0] for row in rows) < min(row[1] for row in rows), "they overlap"
    waits = [float(row[2]) for row in rows]
    with capsys.disabled():
        print(f"\n  three operations at once started after {max(waits):.2f} s at most")
    for key in keys:
        cancel(fleet, key)


def test_an_operation_starts_within_half_a_second(
    fleet: HostingFleet, capsys: pytest.CaptureFixture[str]
) -> None:
    for _again in range(10):
        fleet.run("check", "server")
    rows = fleet.rows(
        "SELECT extract(epoch FROM started - create_date) FROM saas_operation WHERE kind = 'check'"
    )
    median = statistics.median(float(seconds) for (seconds,) in rows)
    with capsys.disabled():
        print(f"\n  an operation starts after {median:.2f} s (median of {len(rows)})")
    # Of the median, because other tests keep the machine busy meanwhile.
    assert median < START_S
