"""The file of routes and the counts of requests: many writers, broken files, dates."""

from __future__ import annotations

import os
import time
from datetime import date, datetime, timezone
from pathlib import Path

import pytest
from hosting import counts
from hosting.counts import RequestCounter, requests_of
from hosting.errors import HostingError
from hosting.routes import LOOK_EVERY_S, SUSPENDED, LiveRoutes, Route, Routes, host_of
from support.hosting_processes import run_python


@pytest.fixture
def routes(tmp_path: Path) -> Routes:
    return Routes(tmp_path / "routes.json")


def test_a_route_is_read_as_it_was_put(routes: Routes) -> None:
    assert routes.load() == {}
    put = routes.put("acme.example.com", "acme", state=SUSPENDED, message="Unpaid")
    assert routes.load() == {"acme.example.com": put}
    assert (put.state, put.message, put.active) == ("suspended", "Unpaid", False)
    assert datetime.fromisoformat(put.since).tzinfo == timezone.utc


def test_the_same_route_again_changes_nothing(routes: Routes) -> None:
    old = Route("acme", since="2020-01-01T00:00:00+00:00")
    routes.replace_all({"acme.example.com": old})
    written = routes.path.stat().st_ino
    assert routes.put("acme.example.com", "acme") == old
    assert routes.path.stat().st_ino == written
    assert routes.set_state("acme", SUSPENDED) == ["acme.example.com"]
    assert routes.load()["acme.example.com"].since > "2026"


def test_states_and_names_change_for_all_hosts_of_a_database(routes: Routes) -> None:
    for host in ("a.example.com", "shop.example.org"):
        routes.put(host, "acme")
    routes.put("b.example.com", "birch")
    assert routes.set_state("acme", SUSPENDED) == ["a.example.com", "shop.example.org"]
    assert routes.rename("acme", "acme-2") == ["a.example.com", "shop.example.org"]
    found = {host: (route.database, route.state) for host, route in routes.load().items()}
    assert found["shop.example.org"] == ("acme-2", "suspended")
    assert found["b.example.com"] == ("birch", "active")
    assert routes.remove("b.example.com")
    assert not routes.remove("b.example.com")


@pytest.mark.parametrize(
    "host",
    ["", "Acme.example.com", "acme.example.com:80", "acme_1.example.com", "-a.example.com",
     "a..example.com", "a.example.com.", "10.0.0.1", "a b.example.com", "é.example.com",
     "a.example.com; return 200", "x" * 64 + ".com", None],
)  # fmt: skip
def test_what_is_no_host_name_gets_no_route(routes: Routes, host: str) -> None:
    with pytest.raises(HostingError) as caught:
        routes.put(host, "acme")
    assert caught.value.code == "bad_host_name"
    with pytest.raises(HostingError):
        routes.replace_all({host: Route("acme")})


def test_no_route_leads_to_postgresqls_own_databases_or_to_nonsense(routes: Routes) -> None:
    for database in ("postgres", "template1", "", "a/b", "a b"):
        with pytest.raises(HostingError, match="not valid"):
            routes.put("acme.example.com", database)
    with pytest.raises(HostingError, match="not valid"):
        routes.put("acme.example.com", "acme", state="asleep")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"a.b": []}', '{"a.b": {"database": "x", "state": "y"}}', '{"A.b": {}}',
     '{"a.b": {"database": "x", "more": 1}}', '{"a.b": {"database": 1}}', "null", "\xff",
     '{"a.b": {"database": "x", "message": 5}}'],
)  # fmt: skip
def test_a_broken_file_is_refused_and_never_overwritten_by_a_change(
    routes: Routes, text: str
) -> None:
    routes.path.write_text(text, encoding="latin-1")
    for change in (routes.load, lambda: routes.put("a.b", "x"), lambda: routes.remove("a.b")):
        with pytest.raises(HostingError) as caught:
            change()
        assert caught.value.code == "routes_broken"
    assert routes.path.read_text(encoding="latin-1") == text
    routes.replace_all({"a.b": Route("x")})
    assert list(routes.load()) == ["a.b"]


WRITER = """
import sys
from pathlib import Path
from hosting.routes import Routes
routes = Routes(Path(sys.argv[1]))
for number in range(20):
    routes.put(f"{sys.argv[2]}-{number}.example.com", "acme")
"""


def test_two_writers_lose_nothing_of_each_other(routes: Routes) -> None:
    writers = [run_python(WRITER, routes.path, name) for name in "abcd"]
    assert [writer.wait(30) for writer in writers] == [0, 0, 0, 0]
    assert len(routes.load()) == 80


def test_a_writer_that_is_killed_leaves_the_old_file_and_no_lock(routes: Routes) -> None:
    routes.put("old.example.com", "acme")
    points = {"FLEET_TEST_FAILPOINTS_ALLOWED": "1", "FLEET_FAILPOINTS": "routes.write=kill"}
    assert run_python(WRITER, routes.path, "a", environment=points).wait(30) == -9
    assert list(routes.load()) == ["old.example.com"]
    routes.put("new.example.com", "acme")
    assert len(routes.load()) == 2


def test_a_reader_sees_a_change_at_once_and_keeps_the_last_good_table(routes: Routes) -> None:
    live = LiveRoutes(routes.path)
    assert live.get("a.b") is None and live.error is None
    routes.put("a.b", "acme")
    assert live.get("a.b").database == "acme"
    routes.put("a.b", "acme", state=SUSPENDED)
    assert not live.get("a.b").active
    routes.put("a.b", "acme")
    assert live.get("a.b").active
    for spoil in (lambda: routes.path.write_text("{"), routes.path.unlink):
        spoil()
        time.sleep(LOOK_EVERY_S)
        assert live.active_databases() == {"acme"}
        assert live.error.code == "routes_broken"
    routes.replace_all({"a.b": Route("acme", SUSPENDED)})
    time.sleep(LOOK_EVERY_S)
    assert live.active_databases() == frozenset() and live.error is None


def test_asking_costs_microseconds(routes: Routes) -> None:
    routes.replace_all({f"h{number}.example.com": Route(f"db{number}") for number in range(2000)})
    live, counter = LiveRoutes(routes.path), RequestCounter(routes.path.parent / "requests", 60)
    live.look()
    start = time.process_time()
    for _number in range(20000):
        counter.count(live.get(host_of("H77.example.com:8069")).database)
    assert (time.process_time() - start) / 20000 < 20e-6


def test_a_host_header_is_read_exactly() -> None:
    assert host_of("Acme.Example.com:8069") == "acme.example.com"
    assert host_of("acme.example.com") == "acme.example.com"
    for nonsense in ("a.b:c", "a.b:1:2", "[::1]:80", "ａ.b", "a.b:"):
        assert host_of(nonsense) == ""


# --- counts


def today() -> date:
    return datetime.now(timezone.utc).date()


def test_counts_are_written_after_a_while_and_summed_over_processes(tmp_path: Path) -> None:
    first, second = RequestCounter(tmp_path, 0.05), RequestCounter(tmp_path, 60)
    for counter, database in ((first, "a"), (first, "a"), (second, "a"), (second, "b")):
        counter.count(database)
    end = time.monotonic() + 30
    while not requests_of(tmp_path, today()) and time.monotonic() < end:
        time.sleep(0.05)
    assert requests_of(tmp_path, today()) == {"a": 2}
    second.flush()
    assert requests_of(tmp_path, today()) == {"a": 3, "b": 1}
    first.count("a")
    first.flush()
    assert requests_of(tmp_path, today()) == {"a": 4, "b": 1}


COUNT = """
import os, sys
from pathlib import Path
from hosting.counts import RequestCounter
counter = RequestCounter(Path(sys.argv[1]), 60)
counter.count("parent")
if os.fork() == 0:
    counter.count("child")
    sys.exit(0)
os.wait()
"""


def test_a_process_writes_its_counts_when_it_ends_also_a_forked_one(tmp_path: Path) -> None:
    assert run_python(COUNT, tmp_path).wait(30) == 0
    assert requests_of(tmp_path, today()) == {"parent": 1, "child": 1}


def test_an_unwritable_folder_stops_no_request(tmp_path: Path) -> None:
    (tmp_path / "requests").write_text("in the way")
    counter = RequestCounter(tmp_path / "requests", 60)
    counter.count("a")
    counter.flush()
    (tmp_path / "requests").unlink()
    counter.flush()
    assert requests_of(tmp_path / "requests", today()) == {"a": 1}


def test_old_days_are_removed(tmp_path: Path) -> None:
    for day in ("2020-01-01", today().isoformat(), "2020-notes"):
        (tmp_path / day).mkdir()
    assert counts.prune(tmp_path) == ["2020-01-01"]
    assert sorted(os.listdir(tmp_path)) == ["2020-notes", today().isoformat()]
