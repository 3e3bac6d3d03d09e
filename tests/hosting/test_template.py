"""Templates: built by a real Odoo, edited, published, compared, dropped; killed on the way."""

from __future__ import annotations

import json
import shutil
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from making import drop
from operations import HostingServer

pytestmark = pytest.mark.timeout(280)

TARGET = "template:small"
EDIT = "small-edit"
MODULES = ["resource"]


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("template") as made:
        yield made


def build_request(**changes: Any) -> dict[str, Any]:
    """Return what the ORM's hook makes of the arguments of ``template_build``."""
    from hosting.names import template_name

    request = {"physical": template_name("small"), "number": 1, "uuid": str(uuid.uuid4())}
    request |= {"modules": [], "lang": "en_US", "country": "", "demo": False, "assets": "first"}
    return request | changes


@pytest.fixture(scope="module")
def built(server) -> dict[str, Any]:
    """One real build, whose runner is killed in the middle of the installation, then run again."""
    request = build_request(modules=MODULES, lang="fr_FR", country="BE")
    operation = server.submit("template_build", TARGET, request)
    runner = server.start(operation)
    doing = wait_for_progress(server, operation)
    runner.kill()
    assert server.finish(runner) == "killed"
    left = sessions_after(server, request["physical"], seconds=10)
    assert server.run(operation) == "done", (server.error(operation), server.last_error)
    return {
        "physical": request["physical"],
        "doing": doing,
        "left": left,
        "evidence": server.evidence(operation),
    }


def wait_for_progress(server: HostingServer, operation: int) -> str:
    """Return what the operation says it is doing, as soon as it says something."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        text = server.sql("SELECT progress_text FROM saas_operation WHERE id = %s", operation)[0][0]
        if text:
            return text
        time.sleep(0.1)
    raise AssertionError("no progress was written")


def sessions_after(server: HostingServer, database: str, *, seconds: float) -> int:
    """Return how many sessions a database still has, waiting at most ``seconds`` for none."""
    end = time.monotonic() + seconds
    while (left := server.host.cluster.sessions(database)) and time.monotonic() < end:
        time.sleep(0.1)
    return left


@pytest.fixture(scope="module")
def source(built) -> str:
    """Return a hidden database that a version can be made of; its assets are there already."""
    return built["physical"]


@pytest.fixture
def reopened(server, built) -> Iterator[str]:
    """Give an open copy of the version that was built, to look into."""
    from hosting import files
    from hosting.names import hidden_name
    from hosting.postgres import Mark

    name = hidden_name("look")
    server.host.cluster.clone(built["physical"], name, mark=Mark(server.uuid, "hidden"))
    files.copy_tree(server.host.filestore(built["physical"]), server.host.filestore(name))
    yield name
    drop(server, name)


# --- building


def test_a_build_shows_the_module_that_it_is_at(built):
    assert built["doing"].startswith("Module ")


def test_the_odoo_that_installs_dies_with_its_runner(built):
    assert built["left"] == 0


def test_a_build_that_was_killed_is_begun_again_and_leaves_one_version(server, built):
    facts = server.databases()[built["physical"]]
    assert facts.mark.kind == "template"
    assert facts.is_template and not facts.allows_connections
    assert built["physical"] in server.folders()


def test_a_version_has_the_modules_the_language_and_the_country_that_were_asked_for(
    server, reopened
):
    states = dict(server.sql_in(reopened, "SELECT name, state FROM ir_module_module"))
    assert states["resource"] == "installed"
    assert not {"to install", "to upgrade", "to remove"} & set(states.values())
    rows = server.sql_in(
        reopened,
        "SELECT c.code, m.name, p.lang FROM res_company y JOIN res_partner p ON p.id = y.partner_id "
        "JOIN res_country c ON c.id = p.country_id JOIN res_currency m ON m.id = y.currency_id",
    )
    assert rows == [("BE", "EUR", "fr_FR")]


def test_a_version_names_each_module_with_its_version_and_digest(server, built):
    modules = built["evidence"]["close"]["modules"]
    assert {"base", "web", "resource"} <= set(modules)
    version, digest = modules["resource"]
    assert version and len(digest) == 64


def test_visits_that_made_the_assets_leave_no_trace(server, reopened):
    for table in ("res_device_log", "res_users_log"):
        assert server.sql_in(reopened, f"SELECT count(*) FROM {table}") == [(0,)]
    assert not (server.host.filestore(reopened) / "checklist").exists()


def test_an_unknown_module_is_refused_by_name_before_anything_is_made(server):
    request = build_request(modules=["resource", "no_such_module"])
    operation = server.submit("template_build", TARGET, request)
    assert server.run(operation) == "failed"
    code, sentence = server.error(operation)
    assert code == "module_unknown" and "no_such_module" in sentence
    assert request["physical"] not in server.databases()


def test_a_build_killed_again_and_again_is_finished_by_the_last_run(server, source):
    request = build_request(source=source)
    operation = server.submit("template_build", TARGET, request)
    for place in ("template.copied", "template_build.assets.after", "template.marked"):
        assert server.run(operation, f"{place}=kill") == "killed"
    assert server.run(operation) == "done", (server.error(operation), server.last_error)
    assert not server.databases()[request["physical"]].allows_connections
    assert request["physical"] in server.folders()
    drop(server, request["physical"])


def test_a_build_that_fails_leaves_neither_database_nor_files(server, source):
    before = set(server.databases()), server.folders()
    operation = server.submit("template_build", TARGET, build_request(source=source))
    assert server.run(operation, "template_build.assets.before=error") == "failed"
    assert (set(server.databases()), server.folders()) == before


def test_a_version_made_of_a_live_database_is_sealed_and_the_database_open_again(server, built):
    from hosting.routes import Routes

    name = f"fleet-t{uuid.uuid4().hex[:8]}"
    host_version(server, built["physical"], name)
    server.sql_in(name, "UPDATE res_users SET password = 'known' WHERE login = 'admin'")
    visitor = psycopg2.connect(dbname=name)
    request = build_request(source=name, live=True)
    server.do("template_build", TARGET, request)
    facts = server.databases()[name]
    assert facts.allows_connections and not facts.is_template
    assert Routes(server.host.routes).load()[server.host.host_name(name)].active
    server.host.cluster.allow(request["physical"], True)
    passwords = server.sql_in(request["physical"], "SELECT DISTINCT password FROM res_users")
    assert passwords == [(None,)]
    assert server.sql_in(name, "SELECT password FROM res_users WHERE login = 'admin'") == [
        ("known",)
    ]
    visitor.close()
    drop(server, name, request["physical"])


def host_version(server: HostingServer, version: str, name: str) -> None:
    """Make a hosted database of a version, with files and a route."""
    from hosting import files
    from hosting.names import hidden_name
    from hosting.postgres import Mark
    from hosting.routes import Routes

    host, hidden = server.host, hidden_name("live")
    mark = Mark(server.uuid, "hosted", uuid=str(uuid.uuid4()))
    host.cluster.clone(version, hidden, mark=mark)
    files.copy_tree(host.filestore(version), host.filestore(name))
    host.cluster.publish(hidden, name, mark=mark)
    Routes(host.routes).put(host.host_name(name), name)


# --- the first page


def first_page(server: HostingServer, database: str) -> dict[str, Any]:
    """Ask a fresh Odoo for the first page of a database, with every asset that it names."""
    from hosting import boot

    return boot.login_page(server.host, database, seconds=120)


def test_the_first_page_of_a_clone_takes_at_most_half_of_that_of_an_unprepared_copy(
    server, built, reopened
):
    from hosting.names import hidden_name
    from hosting.postgres import Mark

    bare = hidden_name("bare")
    server.host.cluster.clone(built["physical"], bare, mark=Mark(server.uuid, "hidden"))
    server.sql_in(bare, "DELETE FROM ir_attachment WHERE url LIKE '/web/assets/%'")
    shutil.copytree(
        server.host.filestore(built["physical"]), server.host.filestore(bare), dirs_exist_ok=True
    )
    ours, plain = first_page(server, reopened), first_page(server, bare)
    drop(server, bare)
    assert ours["assets"] == plain["assets"] > 0
    assert ours["all_seconds"] <= 0.5 * plain["all_seconds"], (ours, plain)


@pytest.mark.parametrize("live", [True, False])
def test_no_version_is_made_of_a_database_that_has_the_name_of_the_source_by_now(server, live):
    name = f"fleet-s{uuid.uuid4().hex[:8]}"
    server.host_database(name)
    request = build_request(source=name, source_uuid=str(uuid.uuid4()), live=live)
    operation = server.submit("template_build", TARGET, request)
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "no_database"
    assert request["physical"] not in server.databases()
    drop(server, name)


def test_a_version_whose_first_page_generates_assets_is_refused(server, source):
    from hosting import template_steps
    from hosting.engine import Context
    from hosting.errors import HostingError
    from hosting.names import hidden_name
    from hosting.postgres import Mark

    name = hidden_name("bare")
    host = server.host
    host.cluster.clone(source, name, mark=Mark(server.uuid, "hidden"))
    server.sql_in(name, "DELETE FROM ir_attachment WHERE url LIKE '/web/assets/%'")
    with pytest.raises(HostingError) as caught:
        template_steps.verify(Context(host, 0, {"physical": name}, Unhurried()))
    assert caught.value.code == "template_unprepared"
    drop(server, name)


class Unhurried:
    """The only part of a journal that one step alone needs."""

    def seconds_left(self) -> float:
        return 120.0


# --- editing


def edit_request(source: str) -> dict[str, Any]:
    return {"source": source, "uuid": str(uuid.uuid4())}


@pytest.fixture
def hashed() -> dict[str, str]:
    from hosting.personalise import password_hash

    return {"password_hash": password_hash("only-once")}


@pytest.fixture
def checked_out(server, built, hashed) -> Iterator[dict[str, Any]]:
    """Give the request of a copy that is checked out."""
    request = edit_request(built["physical"])
    operation = server.submit("template_checkout", TARGET, request)
    assert server.run(operation, secrets=hashed) == "done", server.error(operation)
    yield request
    if EDIT in server.databases():
        server.do("template_discard", TARGET, request)


def hosts(server: HostingServer) -> dict[str, str]:
    from hosting.routes import Routes

    return {host: route.state for host, route in Routes(server.host.routes).load().items()}


def test_a_checked_out_copy_is_visible_inert_and_open_to_its_administrator(
    server, checked_out, hashed
):
    facts = server.databases()[EDIT]
    assert not facts.is_template and facts.allows_connections
    assert hosts(server)[f"{EDIT}.hosted.example"] == "active"
    password = server.sql_in(EDIT, "SELECT password FROM res_users WHERE login = 'admin'")
    assert password == [(hashed["password_hash"],)]
    parameters = dict(server.sql_in(EDIT, "SELECT key, value FROM ir_config_parameter"))
    assert parameters["database.is_neutralized"] and parameters["web.base.url.freeze"]
    assert parameters["web.base.url"] == f"https://{EDIT}.hosted.example"


def test_publishing_takes_the_copy_away_from_everybody_and_keeps_what_was_edited(
    server, checked_out
):
    server.sql_in(EDIT, "UPDATE res_partner SET name = 'Edited' WHERE id = 1")
    visitor = psycopg2.connect(dbname=EDIT)
    request = build_request(uuid=checked_out["uuid"], number=2)
    operation = server.submit("template_publish", TARGET, request)
    assert server.run(operation, "template.edit_hidden=kill") == "killed"
    assert server.run(operation) == "done", (server.error(operation), server.last_error)
    visitor.close()
    made = server.databases()
    assert EDIT not in made and not made[request["physical"]].allows_connections
    assert f"{EDIT}.hosted.example" not in hosts(server)
    assert EDIT not in server.folders()
    server.host.cluster.allow(request["physical"], True)
    assert server.sql_in(request["physical"], "SELECT password FROM res_users WHERE id = 2") == [
        (None,)
    ]
    names = server.sql_in(request["physical"], "SELECT name FROM res_partner WHERE id = 1")
    assert names == [("Edited",)]
    drop(server, request["physical"])


def test_a_copy_that_could_not_be_published_goes_back_to_its_administrator(
    server, checked_out, hashed
):
    request = build_request(uuid=checked_out["uuid"], number=2)
    operation = server.submit("template_publish", TARGET, request)
    outcome = server.run(operation, "template_publish.assets.before=error", secrets=hashed)
    assert outcome == "failed"
    assert request["physical"] not in server.databases()
    assert server.databases()[EDIT].allows_connections
    assert hosts(server)[f"{EDIT}.hosted.example"] == "active"
    password = server.sql_in(EDIT, "SELECT password FROM res_users WHERE login = 'admin'")
    assert password == [(hashed["password_hash"],)]
    assert EDIT in server.folders() and request["physical"] not in server.folders()


def test_a_discarded_copy_leaves_nothing(server, checked_out):
    server.do("template_discard", TARGET, checked_out)
    assert EDIT not in server.databases() and EDIT not in server.folders()
    assert f"{EDIT}.hosted.example" not in hosts(server)


@pytest.mark.parametrize("place", ["template.edit_copied", "template.edit_moved"])
def test_a_check_out_killed_anywhere_is_finished_by_the_next_run(server, built, hashed, place):
    request = edit_request(built["physical"])
    operation = server.submit("template_checkout", TARGET, request)
    assert server.run(operation, f"{place}=kill", hashed) == "killed"
    assert server.run(operation, secrets=hashed) == "done", server.error(operation)
    hidden = [name for name in server.databases() if name.startswith("fleet_x_edit")]
    assert hidden == []
    server.do("template_discard", TARGET, request)


# --- versions


def test_while_a_new_version_is_published_no_clone_fails_and_none_mixes_versions(server, source):
    """Somebody keeps trying to hold connections on both versions all the time."""
    from hosting.names import hidden_name
    from hosting.postgres import Mark

    cluster, clones, stop = server.host.cluster, {}, threading.Event()
    first, second = publish_marked(server, source, "one"), None
    published = {"physical": first, "mark": "one"}

    def hold() -> None:
        while not stop.is_set():
            for name in filter(None, (first, second)):
                try:
                    psycopg2.connect(dbname=name).close()
                except psycopg2.OperationalError:
                    time.sleep(0.005)

    def clone() -> None:
        while not stop.is_set():
            chosen, name = dict(published), hidden_name("clone")
            cluster.clone(chosen["physical"], name, mark=Mark(server.uuid, "hidden"))
            clones[name] = chosen["mark"]

    failures: list[BaseException] = []
    threads = [
        threading.Thread(target=guarded, args=(each, failures)) for each in (hold, clone, clone)
    ]

    def wait_for_clone(mark: str) -> None:
        end = time.monotonic() + 60
        while mark not in clones.copy().values() and not failures and time.monotonic() < end:
            time.sleep(0.05)

    for thread in threads:
        thread.start()
    wait_for_clone("one")
    second = publish_marked(server, source, "two")
    published.update(physical=second, mark="two")
    wait_for_clone("two")
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert set(clones.values()) == {"one", "two"}
    for name, mark in clones.items():
        rows = server.sql_in(name, "SELECT value FROM ir_config_parameter WHERE key = 'test.mark'")
        assert rows == [(mark,)]
    drop(server, first, second, *clones)


def guarded(work: Any, failures: list[BaseException]) -> None:
    try:
        work()
    except BaseException as error:
        failures.append(error)


def publish_marked(server: HostingServer, source: str, mark: str) -> str:
    """Make a closed version that says which one it is; its last editor does not let go of it."""
    from hosting.names import template_name
    from hosting.postgres import Mark

    name = template_name("marked")
    server.host.cluster.clone(source, name, mark=Mark(server.uuid, "template"))
    editor = psycopg2.connect(dbname=name)
    with editor, editor.cursor() as cr:
        cr.execute("INSERT INTO ir_config_parameter (key, value) VALUES ('test.mark', %s)", [mark])
    server.host.cluster.close_template(name)
    return name


def test_a_version_in_use_by_an_operation_or_a_ready_clone_is_not_dropped(server, source):
    version = publish_marked(server, source, "used")
    numbers = {"numbers": {version: 7}, "former": {}, "whole": False}
    user = server.submit("pool_fill", "small", {"source": version, "uuid": str(uuid.uuid4())})
    assert refused_drop(server, numbers) == "template_in_use"
    server.sql("DELETE FROM saas_operation WHERE id = %s", user)
    server.sql(
        "INSERT INTO saas_pool_clone (physical, source, state) VALUES ('x', %s, 'ready')", version
    )
    assert refused_drop(server, numbers) == "template_in_use"
    server.sql("DELETE FROM saas_pool_clone")
    assert version in server.databases()
    operation = server.submit("template_drop", TARGET, numbers)
    assert server.run(operation, "template.version_dropped=kill") == "killed"
    assert server.run(operation) == "done"
    assert version not in server.databases() and version not in server.folders()


def test_what_is_no_version_is_never_dropped_as_one(server, checked_out):
    assert refused_drop(server, {"numbers": {EDIT: 2}, "former": {}, "whole": False}) == "not_ours"
    assert EDIT in server.databases()


def refused_drop(server: HostingServer, request: dict[str, Any]) -> str | None:
    operation = server.submit("template_drop", TARGET, request)
    assert server.run(operation) == "failed"
    return server.error(operation)[0]


CHOOSE = """
import psycopg2
template = env["saas.database.template"].create({"name": "Held", "code": "held"})
version = env["saas.database.template.version"].create(
    {"template_id": template.id, "number": 1, "physical": "held", "state": "published"})
env.cr.commit()
env["saas.database.template"]._get_published("held")
RESULT = "retired"
with env.registry.cursor() as other:
    other.execute("SET LOCAL lock_timeout = '300ms'")
    try:
        other.execute("UPDATE saas_database_template_version SET state = 'retired' WHERE id = %s",
                      [version.id], log_exceptions=False)
    except psycopg2.errors.LockNotAvailable:
        RESULT = "waits"
env.cr.rollback()
"""


def test_a_version_that_was_just_chosen_is_not_retired_before_the_choice_is_recorded(server):
    from hosting import odoo_child

    assert odoo_child.script(server.host, server.database, CHOOSE) == "waits"


def test_a_rollback_refuses_a_version_that_is_gone(server, source):
    version = publish_marked(server, source, "before")
    request = {"physical": version, "number": 3, "modules": ["base"]}
    assert server.do("template_rollback", TARGET, request)["check"]["physical"] == version
    drop(server, version)
    operation = server.submit("template_rollback", TARGET, request)
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "template_gone"


# --- freshness


def module(folder: Path, name: str, version: str, code: str = "x = 1\n") -> None:
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "__manifest__.py").write_text(repr({"name": name, "version": version}))
    (folder / name / "__init__.py").write_text(code)


def test_a_link_that_leads_nowhere_is_no_file_of_a_module(tmp_path):
    from hosting.modules import AddonsPath

    module(tmp_path, "edited", "1.0")
    before = AddonsPath([tmp_path]).identity("edited")
    # An editor's lock on a file.
    (tmp_path / "edited" / ".#__init__.py").symlink_to("somebody@somewhere.123")
    assert AddonsPath([tmp_path]).identity("edited") == before


def test_a_template_is_compared_with_the_addons_module_by_module(tmp_path):
    from hosting.modules import AddonsPath
    from hosting.template import differing

    for name in ("same", "newer", "changed", "gone"):
        module(tmp_path, name, "1.0")
    identities = {
        name: AddonsPath([tmp_path]).identity(name) for name in ("same", "newer", "changed", "gone")
    }
    built = json.loads(json.dumps({n: [i.version, i.digest] for n, i in identities.items()}))
    assert differing(AddonsPath([tmp_path]), built) == {}
    module(tmp_path, "newer", "1.1")
    module(tmp_path, "changed", "1.0", "x = 2\n")
    shutil.rmtree(tmp_path / "gone")
    assert differing(AddonsPath([tmp_path]), built) == {
        "newer": "1.0 → 1.1",
        "changed": "files",
        "gone": "missing",
    }


def test_the_published_version_is_fresh_right_after_its_build(server, built):
    modules = built["evidence"]["close"]["modules"]
    evidence = server.do("template_refresh", TARGET, {"modules": modules, "rebuild": False})
    assert evidence["compare"]["differ"] == {}
