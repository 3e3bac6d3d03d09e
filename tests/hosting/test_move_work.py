"""A database goes from one hosting server to another: whole, once, killed anywhere, and back."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import secrets
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deaths import back, forward, kill
from life_case import ask, assert_hidden, assert_served, folders, new_name, owned, states
from making import drop, hidden
from operations import HostingServer
from support import backups

from fleetdev import restic

pytestmark = pytest.mark.timeout(280)

PASSWORD = secrets.token_urlsafe(32)
HASH = "$pbkdf2-sha512$600000$c2FsdHNhbHRzYWx0$" + "A" * 86


class Move:
    """A database on one server, and what the portal would ask of both."""

    def __init__(self, one: HostingServer, two: HostingServer, places: Path) -> None:
        from hosting import handover, manifest

        self.one, self.two = one, two
        self.name = new_name("move")
        self.uuid = one.host_database(self.name)
        self.key = handover.new_key()
        self.place = secrets.token_hex(16)
        self.folder = f"{self.uuid}-{secrets.token_hex(4)}"
        self.number = f"20260101-{secrets.token_hex(4)}"
        self.location = str(places / self.folder)
        self.password = PASSWORD
        self.signing = {one: manifest.new_key(), two: manifest.new_key()}
        one.sql_in(self.name, "UPDATE res_users SET password = %s WHERE id = 2", HASH)
        self.write("before the move")
        self.package = ""  # as the first server has handed it over

    def write(self, value: str) -> None:
        self.one.sql_in(
            self.name,
            "INSERT INTO ir_config_parameter (key, value) VALUES ('test.value', %s)",
            value,
        )

    # --- what the hooks of the records would make of the arguments

    def _repositories(self, number: int | str) -> list[dict[str, Any]]:
        return [{"id": number, "location": self.location, "remote": False}]

    def secrets(self, server: HostingServer) -> dict[str, str]:
        from hosting import manifest

        number = "handover" if server is self.one else 7
        return {
            f"repository.{number}.password": self.password,
            f"repository.{number}.env": "{}",
            "signing_key": manifest.private_text(self.signing[server]),
            "document_key": manifest.private_text(self.signing[server]),
        }

    def hand_over_request(self) -> dict[str, Any]:
        from hosting import handover, manifest

        return {
            "uuid": self.uuid,
            "key": handover.public_text(self.key),
            "place": self.place,
            "folder": self.folder,
            "repositories": self._repositories("handover"),
            "backup": self.number,
            "public_keys": [manifest.public_pem(self.signing[self.one])],
            "purpose": "customer",
            "neutralized": False,
            "mail_host": "mail.former.example",
        }

    def take_over_request(self, package: str, **changes: Any) -> dict[str, Any]:
        from hosting import handover, manifest

        told = handover.unseal(package, self.key)
        own = manifest.public_pem(self.signing[self.two])
        request = {
            "uuid": told.uuid,
            "backup": told.backup,
            "repositories": self._repositories(7),
            "public_keys": [own, told.public_key],
            "hidden": "moved",
            "bytes": told.bytes,
            "url": told.url,
            "mail_host": told.mail_host,
            "mail": None,
            "neutralized": told.neutralized,
            "hosts": list(told.hosts),
            "document": {},
        }
        return request | changes

    def take_back_request(self, *, force: bool = False) -> dict[str, Any]:
        return {
            "uuid": self.uuid,
            "force": force,
            "repositories": self._repositories("handover"),
        }

    # --- asking

    def run(self, server: HostingServer, operation: int, failpoints: str = "") -> str:
        return server.run(operation, failpoints, self.secrets(server))

    def do(self, server: HostingServer, kind: str, request: dict[str, Any]) -> dict[str, Any]:
        operation = server.submit(kind, self.name, request)
        outcome = self.run(server, operation)
        assert outcome == "done", (server.error(operation), server.last_error)
        return server.evidence(operation)

    def prepare(self) -> None:
        """Have the repository already; restic takes seconds to make one."""
        backups.make(backups.repository(Path(self.location), password=self.password))

    def hand_over(self) -> str:
        """Have the first server hand it over; return the package."""
        evidence = self.do(self.one, "hand_over", self.hand_over_request())
        return evidence["package"]["package"]

    def take_over(self, package: str, **changes: Any) -> dict[str, Any]:
        return self.do(self.two, "take_over", self.take_over_request(package, **changes))

    def take_back(self) -> dict[str, Any]:
        return self.do(self.one, "take_back", self.take_back_request())

    def refused(self, server: HostingServer, kind: str, request: dict[str, Any]) -> str:
        """Have an operation fail; return the code of its error."""
        operation = server.submit(kind, self.name, request)
        assert self.run(server, operation) == "failed", server.evidence(operation)
        return server.error(operation)[0]

    def marks(self) -> dict[str, list[str]]:
        from hosting import handover
        from hosting.restic import Repository

        made = Repository(self.location, self.password, binary=self.one.host.restic)
        return {name: found for name, found in handover.marks(made).items() if found}

    def backups(self) -> set[str]:
        from hosting.restic import Repository

        made = Repository(self.location, self.password, binary=self.one.host.restic)
        return {tag for each in made.snapshots() for tag in each.tags if tag.startswith("backup=")}

    def drop(self, *servers: HostingServer) -> None:
        """Drop what a test has made of it, on both servers if no other is said."""
        servers = servers or (self.one, self.two)
        for server in servers:
            drop(server, *owned(server, self.uuid))
        for server in servers:
            drop(server, self.name)

    def value(self) -> list[tuple]:
        return self.two.sql_in(
            self.name, "SELECT value FROM ir_config_parameter WHERE key = 'test.value'"
        )


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[HostingServer, HostingServer]]:
    restic.ensure()
    with HostingServer("move_one") as one, HostingServer("move_two") as two:
        one.serve("--log-level=warn")
        two.serve("--log-level=warn")
        yield one, two


@pytest.fixture
def fresh(servers, tmp_path) -> Iterator[Move]:
    """A database with nothing in the place yet where the repository of its move will be."""
    with nothing_left(servers):
        made = Move(*servers, tmp_path)
        yield made
        made.drop()


@pytest.fixture
def move(fresh) -> Move:
    fresh.prepare()
    return fresh


@pytest.fixture(scope="module")
def handed_once(servers, tmp_path_factory) -> Iterator[Move]:
    made = Move(*servers, tmp_path_factory.mktemp("handed"))
    made.prepare()
    made.package = made.hand_over()
    shutil.copytree(made.location, f"{made.location}.kept")
    yield made
    made.drop()


@pytest.fixture
def handed(servers, handed_once) -> Iterator[Move]:
    """A database that was handed over, for what changes nothing but the second server and the repository."""
    shutil.rmtree(handed_once.location)
    shutil.copytree(f"{handed_once.location}.kept", handed_once.location)
    with nothing_left(servers):
        yield handed_once
        handed_once.drop(servers[1])
    assert_hidden(servers[0], handed_once.name, handed_once.uuid)


@contextlib.contextmanager
def nothing_left(servers: tuple[HostingServer, HostingServer]) -> Iterator[None]:
    """Check that neither server has more hidden databases, folders and dumps than before."""
    before = [hidden(server) for server in servers]
    yield
    assert [hidden(server) for server in servers] == before
    for server in servers:
        assert not list((server.host.work_dir / "staging").glob("*"))


def assert_moved(move: Move) -> None:
    """Check that the database is on the second server, and closed on the first one."""
    assert_hidden(move.one, move.name, move.uuid)
    assert_served(move.two, move.name, move.uuid)
    assert ask(move.one, move.name).status_code == 503
    assert ask(move.two, move.name).status_code == 200


def assert_stayed(move: Move) -> None:
    """Check that it is on the first server, and that the second one has nothing of it."""
    assert_served(move.one, move.name, move.uuid)
    assert ask(move.one, move.name).status_code == 200
    assert owned(move.two, move.uuid) == {}
    assert states(move.two, move.name) == []
    assert not move.two.host.filestore(move.name).exists()
    assert hidden(move.two) == set()


def test_a_database_moves_with_its_identity_logins_files_and_rows(fresh):
    def facts(server: HostingServer, name: str) -> list[tuple]:
        rows = server.sql_in(
            name,
            "SELECT (SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'), "
            "(SELECT value FROM ir_config_parameter WHERE key = 'database.secret'), "
            "(SELECT password FROM res_users WHERE id = 2), "
            "(SELECT count(*) FROM ir_cron WHERE active), "
            "(SELECT count(*) FROM ir_config_parameter WHERE key = 'database.is_neutralized')",
        )
        return rows

    def attached(server: HostingServer, name: str) -> set[tuple]:
        return set(server.sql_in(name, "SELECT id, store_fname FROM ir_attachment"))

    before, rows = facts(fresh.one, fresh.name), attached(fresh.one, fresh.name)
    files = {path.name for path in fresh.one.host.filestore(fresh.name).glob("*/*")}
    package = fresh.hand_over()
    assert_hidden(fresh.one, fresh.name, fresh.uuid)
    assert "moved to another server" in ask(fresh.one, fresh.name).text
    evidence = fresh.take_over(package)
    assert_moved(fresh)
    assert facts(fresh.two, fresh.name) == before
    assert before[0][2] == HASH
    # Its first page has made the style sheets of the new address.
    assert rows <= attached(fresh.two, fresh.name)
    assert files <= {path.name for path in fresh.two.host.filestore(fresh.name).glob("*/*")}
    assert fresh.value() == [("before the move",)]
    assert evidence["load"]["rows"] > 1000
    assert evidence["first_request"]["path"] == "/web/login"
    assert folders(fresh.two, fresh.name) == {fresh.name}


def test_the_next_owner_reads_its_first_backup_with_its_own_key_alone(handed):
    from hosting import manifest, restore
    from hosting.restic import Repository

    assert handed.take_over(handed.package)["sign"] == {"signed": True}
    made = Repository(handed.location, handed.password, binary=handed.one.host.restic)
    key = handed.signing[handed.two].public_key()
    assert restore.fetch_manifest(made, handed.number, [key]).manifest.uuid == handed.uuid
    assert handed.backups() == {f"backup={handed.number}"}, "the state saved ahead is forgotten"
    assert manifest.public_pem(key) != manifest.public_pem(handed.signing[handed.one])


# --- killed


@pytest.mark.parametrize(
    "places",
    forward(
        "hand_over",
        close=("doors.set",),
        hide=("place.hide", "place.hidden"),
        take=("backup.before_manifest",),
        package=("move.ahead_forgotten",),
    ),
)
def test_a_hand_over_killed_anywhere_is_finished(fresh, places):
    from hosting import handover

    operation = fresh.one.submit("hand_over", fresh.name, fresh.hand_over_request())
    kill(lambda number, points: fresh.run(fresh.one, number, points), operation, places)
    assert fresh.run(fresh.one, operation) == "done", fresh.one.error(operation)
    assert_hidden(fresh.one, fresh.name, fresh.uuid)
    package = fresh.one.evidence(operation)["package"]["package"]
    assert handover.unseal(package, fresh.key).uuid == fresh.uuid
    assert fresh.backups() == {f"backup={fresh.number}"}


@pytest.mark.parametrize(
    "places",
    forward(
        "take_over",
        load=("restore.loaded",),
        settle_in=("move.settled",),
        claim=("move.claimed",),
        publish=("clone.files_moved", "clone.renamed"),
        first_request=("half_made.answered",),
        sign=("move.signed",),
    ),
)
def test_a_take_over_killed_anywhere_is_finished_once(handed, places):
    operation = handed.two.submit(
        "take_over", handed.name, handed.take_over_request(handed.package)
    )
    kill(lambda number, points: handed.run(handed.two, number, points), operation, places)
    assert handed.run(handed.two, operation) == "done", handed.two.error(operation)
    assert_moved(handed)
    assert handed.value() == [("before the move",)]


@pytest.mark.parametrize(
    "places", forward("take_back", void=("move.voided",), show=("place.files_shown", "place.shown"))
)
def test_a_taking_back_killed_anywhere_is_finished(move, places):
    move.hand_over()
    operation = move.one.submit("take_back", move.name, move.take_back_request())
    kill(lambda number, points: move.run(move.one, number, points), operation, places)
    assert move.run(move.one, operation) == "done", move.one.error(operation)
    assert_stayed(move)
    assert not Path(move.location).exists()


# --- failing


@pytest.mark.parametrize("step", ["ahead", "hide", "package"])
def test_a_hand_over_that_fails_leaves_the_database_open_and_no_repository(fresh, step):
    operation = fresh.one.submit("hand_over", fresh.name, fresh.hand_over_request())
    assert fresh.run(fresh.one, operation, f"hand_over.{step}.after=error") == "failed"
    assert fresh.one.error(operation)[0] == "failpoint"
    assert_stayed(fresh)
    assert not Path(fresh.location).exists()


@pytest.mark.parametrize("place", ["load.after", "claim.after", "first_request.before"])
def test_a_take_over_that_fails_leaves_nothing_and_the_first_server_goes_on(move, place):
    request = move.take_over_request(move.hand_over())
    operation = move.two.submit("take_over", move.name, request)
    assert move.run(move.two, operation, f"take_over.{place}=error") == "failed"
    assert move.two.error(operation)[0] == "failpoint"
    move.take_back()
    assert_stayed(move)
    assert not Path(move.location).exists()


@pytest.mark.parametrize("places", back("take_over"))
def test_a_take_over_killed_while_it_is_undone_leaves_nothing(move, places):
    operation = move.two.submit("take_over", move.name, move.take_over_request(move.hand_over()))
    failing = "take_over.first_request.before=error"
    kill(lambda number, points: move.run(move.two, number, points), operation, places, failing)
    assert move.run(move.two, operation, failing) == "failed"
    move.take_back()
    assert_stayed(move)


def test_what_fails_after_the_first_page_leaves_it_open(handed):
    operation = handed.two.submit(
        "take_over", handed.name, handed.take_over_request(handed.package)
    )
    assert handed.run(handed.two, operation, "take_over.sign.before=error") == "failed"
    assert handed.two.steps(operation)["first_request"] == "done"
    assert_moved(handed)
    assert handed.refused(handed.one, "take_back", handed.take_back_request()) == "handover_claimed"
    assert_moved(handed)


# --- never twice


def test_what_has_answered_there_is_neither_undone_nor_taken_back(handed):
    operation = handed.two.submit(
        "take_over", handed.name, handed.take_over_request(handed.package)
    )
    assert handed.run(handed.two, operation, "take_over.first_request.after=error") == "failed"
    assert_moved(handed)
    assert handed.refused(handed.one, "take_back", handed.take_back_request()) == "handover_claimed"
    assert_moved(handed)


def test_what_the_other_server_has_opened_is_not_taken_back(handed):
    handed.take_over(handed.package)
    assert handed.refused(handed.one, "take_back", handed.take_back_request()) == "handover_claimed"
    assert_moved(handed)
    assert list(handed.marks()) == ["handover=claim"], "the refusal leaves nothing"


def test_what_was_taken_back_is_not_taken_over_however_late(move):
    package = move.hand_over()
    late = move.two.submit("take_over", move.name, move.take_over_request(package))
    kill(
        lambda number, points: move.run(move.two, number, points),
        late,
        ["take_over.boot.after"],
    )
    # Taken back, and killed before it could tidy up: the void alone has to keep the other away.
    operation = move.one.submit("take_back", move.name, move.take_back_request())
    assert move.run(move.one, operation, "take_back.clean.before=kill") == "killed"
    assert move.run(move.two, late) == "failed"
    assert move.two.error(late)[0] == "handover_void"
    assert move.run(move.one, operation) == "done"
    assert_stayed(move)


def test_of_two_at_the_same_moment_none_goes_on_over_the_other(handed):
    """Each has written its mark before it looks for the other's: both give way, none is open twice."""
    over = handed.two.submit("take_over", handed.name, handed.take_over_request(handed.package))
    assert handed.run(handed.two, over, "move.claimed=kill") == "killed"
    taken = handed.one.submit("take_back", handed.name, handed.take_back_request())
    assert handed.run(handed.one, taken) == "failed"
    assert handed.one.error(taken)[0] == "handover_claimed"
    assert_hidden(handed.one, handed.name, handed.uuid)
    assert handed.run(handed.two, over) == "done"
    assert_moved(handed)


def test_a_server_that_could_not_remove_it_keeps_its_claim(move):
    """Then it may still be open there, and the first server must not open it too."""
    over = move.two.submit("take_over", move.name, move.take_over_request(move.hand_over()))
    failing = "take_over.route.after=error,take_over.publish.undone=kill"
    assert move.run(move.two, over, failing) == "killed"
    assert list(move.marks()) == ["handover=claim"]
    assert move.refused(move.one, "take_back", move.take_back_request()) == "handover_claimed"
    assert move.run(move.two, over) == "failed"
    move.take_back()
    assert_stayed(move)


def test_by_force_it_comes_back_from_a_server_that_is_gone(move):
    over = move.two.submit("take_over", move.name, move.take_over_request(move.hand_over()))
    assert move.run(move.two, over, "take_over.claim.after=kill") == "killed"
    move.do(move.one, "take_back", move.take_back_request(force=True))
    assert_served(move.one, move.name, move.uuid)
    assert Path(move.location).exists(), "somebody may be reading it"
    assert move.run(move.two, over, "take_over.publish.before=error") == "failed"


def test_a_database_that_is_there_is_not_taken_over_again(handed):
    request = handed.take_over_request(handed.package)
    handed.take_over(handed.package)
    assert handed.refused(handed.two, "take_over", request) == "identity_here"
    assert_moved(handed)


def test_a_name_that_the_other_server_has_is_refused_and_kept(move, servers):
    package = move.hand_over()
    other = servers[1].host_database(move.name)
    request = move.take_over_request(package)
    assert move.refused(move.two, "take_over", request) == "name_taken"
    assert_served(move.two, move.name, other)
    drop(servers[1], move.name)
    move.take_back()
    assert_stayed(move)


# --- what becomes the next server's


def test_its_address_mail_server_and_further_host_names_become_those_of_the_next_server(move):
    from hosting.routes import Routes

    url = move.one.host.url(move.name)
    move.one.sql_in(
        move.name,
        "UPDATE ir_config_parameter SET value = %s WHERE key = 'web.base.url'",
        url,
    )
    make = (
        "INSERT INTO ir_mail_server (name, smtp_host, smtp_port, smtp_pass, smtp_encryption, "
        "smtp_authentication, active, sequence) VALUES (%s, %s, 25, %s, 'none', 'login', true, 1)"
    )
    move.one.sql_in(move.name, make, "Mail server of the host", "mail.former.example", "theirs")
    move.one.sql_in(move.name, make, "Our own", "mail.customer.example", "ours")
    host = f"{move.name}.customer.example"
    Routes(move.one.host.routes).put(host, move.name)
    mail = {"host": "mail.next.example", "port": 25}
    move.take_over(move.hand_over(), mail=mail, url=url)
    query = "SELECT name, smtp_host, smtp_pass FROM ir_mail_server WHERE active ORDER BY name"
    assert move.two.sql_in(move.name, query) == [
        ("Mail server of the host", "mail.next.example", None),
        ("Our own", "mail.customer.example", "ours"),
    ]
    assert Routes(move.two.host.routes).load()[host].database == move.name
    Routes(move.two.host.routes).remove(host)
    Routes(move.one.host.routes).remove(host)


# --- packages, keys and places


@pytest.fixture
def package() -> Any:
    from hosting import handover

    identity = str(uuid.uuid4())
    return handover.Package(
        name="acme",
        uuid=identity,
        purpose="customer",
        place="0" * 32,
        folder=f"{identity}-abcd1234",
        backup="20260101-abcd",
        password="a secret of the repository",
        public_key="a key",
        url="https://acme.example",
        source="a server",
        hosts=("erp.acme.example",),
    )


def test_only_the_server_whose_key_was_given_reads_a_package(package):
    from hosting import handover
    from hosting.errors import HostingError

    key = handover.new_key()
    sealed = handover.seal(package, handover.public_text(key))
    assert handover.unseal(sealed, key) == package
    assert package.password not in sealed
    with pytest.raises(HostingError, match="cannot be opened"):
        handover.unseal(sealed, handover.new_key())


def test_a_package_of_which_anything_was_changed_is_refused(package):
    from hosting import handover
    from hosting.errors import HostingError

    key = handover.new_key()
    sealed = handover.seal(package, handover.public_text(key))
    for at in range(0, len(sealed), 7):
        other = "A" if sealed[at] != "A" else "g"
        with pytest.raises(HostingError):
            handover.unseal(sealed[:at] + other + sealed[at + 1 :], key)
    for short in (0, 10, 40, 59, len(sealed) - 4):
        with pytest.raises(HostingError):
            handover.unseal(sealed[:short], key)


@pytest.mark.parametrize(
    "changes",
    [
        {"folder": "../../etc"},
        {"folder": "/tmp/somewhere"},
        {"name": "../acme"},
        {"uuid": "none"},
        {"backup": "--option"},
        {"purpose": "spy"},
        {"hosts": ("a b",)},
        {"bytes": -1},
        {"password": None},
    ],
)
def test_a_package_with_wrong_content_is_refused_although_it_opens(package, changes):
    from hosting import handover
    from hosting.errors import HostingError

    key = handover.new_key()
    wrong = dataclasses.replace(package, **changes)
    with pytest.raises(HostingError, match="content is wrong"):
        handover.unseal(handover.seal(wrong, handover.public_text(key)), key)


@pytest.mark.parametrize("key", ["A" * 43, "AQ" + "A" * 41])
def test_a_key_that_would_give_everybody_the_same_secret_is_refused(package, key):
    from hosting import handover
    from hosting.errors import HostingError

    with pytest.raises(HostingError, match="cannot be used"):
        handover.seal(package, key)


def test_a_folder_is_the_same_by_any_path_and_a_path_is_not_by_itself(servers, tmp_path):
    from hosting import handover

    one = dataclasses.replace(servers[0].host, backup_dir=tmp_path / "shared")
    found = handover.local_place(one)
    assert len(found) == 32 and json.dumps(found)
    (tmp_path / "mounted").symlink_to(tmp_path / "shared")
    assert handover.local_place(dataclasses.replace(one, backup_dir=tmp_path / "mounted")) == found
    other = dataclasses.replace(one, backup_dir=tmp_path / "other")
    assert handover.local_place(other) not in ("", found)
    (tmp_path / "closed").write_text("no folder")
    assert handover.local_place(dataclasses.replace(one, backup_dir=tmp_path / "closed")) == ""


def test_a_bucket_is_the_same_by_its_address_and_kind():
    from hosting import handover

    place = handover.remote_place("s3", "https://s3.example/bucket/folder")
    assert handover.remote_place("s3", "https://s3.example/bucket/folder/") == place
    assert handover.remote_place("s3", "https://s3.example/bucket/other") != place
    assert handover.remote_place("sftp", "https://s3.example/bucket/folder") != place
