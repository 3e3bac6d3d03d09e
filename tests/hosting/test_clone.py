"""Making hosted databases: from a template, from the pool, from a live one; killed anywhere."""

from __future__ import annotations

import os
import random
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
import pytest
from deaths import forward, in_turn, kill
from hosting.kinds import KINDS
from life_case import ask, assert_served
from making import create_request, drop, hidden, publish_template
from operations import HostingServer

pytestmark = pytest.mark.timeout(280)

STEPS = tuple(step.name for step in KINDS["create"].plan({}).steps)
INSIDE = {
    "copy": ("clone.noted", "clone.copied"),
    "seal": ("seal.begin", "seal.neutralised", "seal.before_commit"),
    "verify": ("verify.begin",),
    "publish": ("clone.files_moved", "clone.renamed"),
    "activate": ("activate.begin", "activate.before_commit"),
    "route": ("routes.write",),
    "first_request": ("http_check.first_page", "half_made.answered"),
}


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("clone") as made:
        made.serve()
        yield made


@pytest.fixture(scope="module")
def template(server) -> str:
    return publish_template(server, "tiny")


@pytest.fixture
def name() -> str:
    return f"fleet-c{uuid.uuid4().hex[:8]}"


@contextmanager
def created(server: HostingServer, template: str, name: str, **changes) -> Iterator[dict]:
    """Give the evidence of a database made for the time of the block."""
    try:
        yield server.do("create", name, create_request(template, **changes))
    finally:
        drop(server, name)


def test_a_clone_is_live_at_its_own_address_with_its_own_identity(server, template, name):
    request = create_request(template)
    operation = server.submit("create", name, request)
    assert server.run(operation) == "done", (server.error(operation), server.last_error)
    parameters = dict(server.sql_in(name, "SELECT key, value FROM ir_config_parameter"))
    assert parameters["database.uuid"] == request["uuid"]
    assert parameters["web.base.url"] == f"https://{name}.hosted.example"
    assert "database.is_neutralized" not in parameters
    company = server.sql_in(name, "SELECT name FROM res_company ORDER BY id LIMIT 1")
    assert company == [("Acme",)]
    facts = server.databases()[name]
    assert (facts.is_template, facts.mark.kind, facts.mark.uuid) == (
        False,
        "hosted",
        request["uuid"],
    )
    assert facts.mark.live
    assert ask(server, name).status_code == 200
    drop(server, name)


def test_a_clones_files_are_the_templates_own_on_the_disk(server, template, name):
    with created(server, template, name) as evidence:
        source = server.host.filestore(template)
        files = [path for path in source.rglob("*") if path.is_file()]
        assert evidence["copy"]["files"] == len(files) > 0
        for path in files:
            copy = server.host.filestore(name) / path.relative_to(source)
            assert os.path.samefile(path, copy)


def test_a_staging_copy_of_a_live_database_stays_neutralised_and_the_source_lives_on(
    server, template, name
):
    with created(server, template, name):
        copy = f"{name}-test"
        request = create_request(name, purpose="staging", activate=False, live=True)
        evidence = server.do("duplicate", copy, request)
        assert evidence["activate"]["neutralized"] is True
        parameters = dict(server.sql_in(copy, "SELECT key, value FROM ir_config_parameter"))
        assert parameters["database.is_neutralized"]
        assert ask(server, name).status_code == 200
        assert ask(server, copy).status_code == 200
        drop(server, copy)


def test_people_log_in_to_a_staging_copy_as_at_its_source_if_that_is_wanted(server, template, name):
    with created(server, template, name):
        server.sql_in(name, "UPDATE res_users SET password = 'hash' WHERE id = 2")
        for kept in (True, False):
            copy = f"{name}-{'kept' if kept else 'none'}"
            request = create_request(
                name, purpose="staging", activate=False, live=True, keep_logins=kept, personal={}
            )
            server.do("duplicate", copy, request)
            password = server.sql_in(copy, "SELECT password FROM res_users WHERE id = 2")
            assert password == [("hash" if kept else None,)]
            drop(server, copy)


@pytest.mark.parametrize("places", in_turn("pause.noted", "pause.inside", "duplicate.copy.after"))
def test_a_live_source_is_open_again_after_a_kill_in_the_pause(server, template, name, places):
    with created(server, template, name):
        copy = f"{name}-test"
        request = create_request(name, purpose="staging", activate=False, live=True)
        operation = server.submit("duplicate", copy, request)
        kill(server.run, operation, places)
        assert server.run(operation) == "done", server.error(operation)
        assert server.databases()[name].allows_connections
        assert ask(server, name).status_code == 200
        assert hidden(server) == set()
        drop(server, copy)


@pytest.mark.parametrize("places", forward("create", **INSIDE))
def test_a_clone_killed_anywhere_is_finished_by_the_next_runner(server, template, name, places):
    operation = server.submit("create", name, create_request(template))
    for place in places:
        kill(server.run, operation, [place])
        if name in server.databases():
            # Invariant: what has its name was sealed and checked before.
            steps = server.steps(operation)
            assert (steps["seal"], steps["verify"]) == ("done", "done")
    assert server.run(operation) == "done", (server.error(operation), server.last_error)
    assert hidden(server) == set()
    assert ask(server, name).status_code == 200
    drop(server, name)


def test_a_clone_that_has_answered_is_not_taken_back(server, template, name):
    request = create_request(template)
    operation = server.submit("create", name, request)
    assert server.run(operation, "create.first_request.after=error") == "failed"
    assert "in use" in server.error(operation)[1]
    assert server.evidence(operation)["route"]["in_use"] is True
    assert_served(server, name, request["uuid"])
    drop(server, name)


@pytest.mark.parametrize("step", STEPS[:-1])
def test_a_clone_that_fails_anywhere_leaves_nothing(server, template, name, step):
    operation = server.submit("create", name, create_request(template))
    assert server.run(operation, f"create.{step}.after=error") == "failed"
    assert server.error(operation)[0] == "failpoint"
    assert name not in server.databases()
    assert name not in server.folders()
    assert hidden(server) == set()
    assert ask(server, name).status_code == 404


@pytest.mark.parametrize(
    "places", in_turn(*(f"create.{step}.undone" for step in ("route", "publish", "seal", "copy")))
)
def test_an_undo_that_is_killed_is_finished_by_the_next_runner(server, template, name, places):
    operation = server.submit("create", name, create_request(template))
    kill(server.run, operation, places, failing="create.first_request.before=error")
    assert server.run(operation) == "failed"
    assert name not in server.databases()
    assert hidden(server) == set()


def test_clones_killed_at_random_moments_end_finished_and_leave_nothing(server, template, name):
    chance = random.Random(19)
    for number in range(5):
        target = f"{name}{number}"
        operation = server.submit("create", target, create_request(template))
        child = server.start(operation)
        time.sleep(chance.uniform(0.1, 1.5))
        child.kill()
        server.finish(child)
        outcome = server.run(operation) if server.state(operation) != "done" else "done"
        assert outcome == "done", server.error(operation)
        drop(server, target)
    assert hidden(server) == set()


def test_a_rename_that_a_killed_runner_had_sent_last_is_taken_for_ones_own(server, name):
    from hosting.errors import HostingError
    from hosting.names import hidden_name
    from hosting.postgres import Mark

    cluster, hidden_copy = server.host.cluster, hidden_name("test")
    mark = Mark(server.uuid, "hosted", uuid="its-own", operation=7)
    cluster.create_empty(hidden_copy, mark=mark)
    cluster.publish(hidden_copy, name, mark=mark)
    cluster.publish(hidden_copy, name, mark=mark)
    with pytest.raises(HostingError) as raised:
        cluster.publish(hidden_copy, name, mark=Mark(server.uuid, "hosted", uuid="another"))
    assert raised.value.code == "no_database"
    cluster.drop(name, server=server.uuid)


def test_a_runner_that_dies_again_and_again_gives_up_and_undoes(server, template, name):
    operation = server.submit("create", name, create_request(template))
    for _time in range(5):
        assert server.run(operation, "create.seal.before=kill") == "killed"
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "gave_up"
    assert hidden(server) == set()


def test_a_database_of_somebody_else_with_that_name_is_left_alone(server, template, name):
    from fleetdev import postgres

    with postgres.cursor() as cr:
        cr.execute(f'CREATE DATABASE "{name}"')
    try:
        operation = server.submit("create", name, create_request(template))
        assert server.run(operation) == "failed"
        assert server.error(operation)[0] == "name_taken"
        assert postgres.exists(name)
    finally:
        with postgres.cursor() as cr:
            cr.execute(f'DROP DATABASE "{name}"')


def test_files_of_a_former_database_of_that_name_stop_a_clone(server, template, name):
    folder = server.host.filestore(name)
    (folder / "aa").mkdir(parents=True)
    operation = server.submit("create", name, create_request(template))
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "folder_in_the_way"
    assert (folder / "aa").is_dir()


def test_a_template_that_others_hold_open_makes_clones_wait_and_then_go_on(
    server, name, monkeypatch
):
    monkeypatch.setattr("hosting.postgres.TRIES", 2)  # PostgreSQL itself waits 5 s in each
    source = publish_template(server, "tiny")
    server.host.cluster.allow(source, True)
    holding = psycopg2.connect(dbname=source)
    operation = server.submit("create", name, create_request(source))
    assert server.run(operation) == "queued"
    assert server.error(operation)[0] == "source_in_use"
    assert holding.closed == 0
    holding.cursor().execute("SELECT 1")  # nobody has ended the session
    holding.close()
    assert server.run(operation) == "done", server.error(operation)
    drop(server, name)


def test_nobody_can_hold_a_published_template_open(server, template):
    with pytest.raises(psycopg2.OperationalError, match="not currently accepting connections"):
        psycopg2.connect(dbname=template)


def test_a_module_without_a_folder_stops_the_clone_with_its_name(server, name):
    source = publish_template(server, "tiny")
    server.host.cluster.allow(source, True)
    server.sql_in(
        source,
        "INSERT INTO ir_module_module (name, state) VALUES ('gone_from_disk', 'installed')",
    )
    server.host.cluster.close_template(source)
    operation = server.submit("create", name, create_request(source))
    assert server.run(operation) == "failed"
    assert "gone_from_disk" in server.error(operation)[1]
    assert hidden(server) == set()


def test_two_runners_of_one_operation_do_it_once(server, template, name):
    operation = server.submit("create", name, create_request(template))
    children = [server.start(operation) for _runner in range(3)]
    outcomes = sorted(server.finish(child) for child in children)
    assert outcomes.count("done") == 1
    assert set(outcomes) <= {"done", "busy"}
    drop(server, name)


def test_operations_on_one_target_wait_for_each_other_in_their_order(server, template, name):
    first = server.submit("create", name, create_request(template))
    second = server.submit("create", name, create_request(template))
    assert server.run(second) == "busy"
    waits = server.sql("SELECT wait_operation FROM saas_operation WHERE id = %s", second)
    assert waits == [(first,)]
    assert server.run(first) == "done"
    assert server.run(second) == "failed"
    assert server.error(second)[0] == "name_taken"
    assert ask(server, name).status_code == 200
    drop(server, name)


class TestPool:
    def fill(self, server: HostingServer, template: str) -> str:
        operation = server.submit(
            "pool_fill",
            "tiny",
            {"source": template, "uuid": str(uuid.uuid4()), "purpose": "customer"},
        )
        assert server.run(operation) == "done", (server.error(operation), server.last_error)
        return server.evidence(operation)["register"]["physical"]

    def test_a_ready_clone_is_given_out_by_rename(self, server, template, name):
        ready = self.fill(server, template)
        oid = self.oid(server, ready)
        with created(server, template, name, from_pool=True) as evidence:
            assert evidence["copy"]["pooled"] is True
            assert self.oid(server, name) == oid
            assert server.sql("SELECT count(*) FROM saas_pool_clone") == [(0,)]
            assert ask(server, name).status_code == 200

    def test_without_a_ready_clone_a_new_one_is_made(self, server, template, name):
        with created(server, template, name, from_pool=True) as evidence:
            assert evidence["copy"]["pooled"] is False

    def test_a_clone_of_another_version_is_not_given_out(self, server, template, name):
        other = publish_template(server, "tiny")
        ready = self.fill(server, other)
        with created(server, template, name, from_pool=True) as evidence:
            assert evidence["copy"]["pooled"] is False
        self.empty(server, ready)

    @pytest.mark.parametrize(
        "places", in_turn("pool.taken", "create.copy.after", "create.seal.after", "clone.renamed")
    )
    def test_a_pool_hit_killed_anywhere_is_finished(self, server, template, name, places):
        self.fill(server, template)
        operation = server.submit("create", name, create_request(template, from_pool=True))
        kill(server.run, operation, places)
        assert server.run(operation) == "done", server.error(operation)
        assert hidden(server) == set()
        assert server.sql("SELECT count(*) FROM saas_pool_clone") == [(0,)]
        drop(server, name)

    def test_rivals_never_get_the_same_clone(self, server, template, name):
        ready = {self.fill(server, template) for _clone in range(3)}
        targets = [f"{name}{number}" for number in range(4)]
        operations = [
            server.submit("create", target, create_request(template, from_pool=True))
            for target in targets
        ]
        children = [server.start(operation) for operation in operations]
        assert [server.finish(child) for child in children] == ["done"] * 4
        taken = [server.evidence(operation)["copy"]["hidden"] for operation in operations]
        assert len(set(taken)) == 4
        assert ready < set(taken)
        for target in targets:
            drop(server, target)

    def test_a_clone_whose_drop_failed_is_dropped_by_the_next_operation(
        self, server, template, name
    ):
        ready, taken = self.fill(server, template), self.fill(server, template)
        server.sql("UPDATE saas_pool_clone SET state = 'taken' WHERE physical = %s", taken)
        operation = server.submit("pool_drop", ready)
        assert server.run(operation, "pool_drop.drop.before=error") == "failed"
        assert server.sql("SELECT state FROM saas_pool_clone ORDER BY state") == [
            ("leaving",),
            ("taken",),
        ]
        assert server.do("pool_drop", ready)["drop"]["dropped"] is True
        assert server.do("pool_drop", taken)["drop"]["dropped"] is False
        server.sql("UPDATE saas_pool_clone SET state = 'ready'")
        self.empty(server, taken)

    def empty(self, server, ready):
        assert server.do("pool_drop", ready)["drop"]["dropped"] is True
        assert hidden(server) == set()

    def oid(self, server, database):
        return server.sql("SELECT oid FROM pg_database WHERE datname = %s", database)
