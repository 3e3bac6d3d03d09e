"""The sandbox and its door: what a program that was taken over can reach, and what it cannot."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from hosting import errors, relay, restricted, sandbox
from hosting.names import hidden_name
from hosting.postgres import Mark
from support.backups import cluster
from support.marks import server_uuid

# Runs in a process of its own, which may belong to another user.
RUN = """
import json, subprocess, sys
sys.path.insert(0, sys.argv[1])
from hosting import sandbox
argv, limits = json.loads(sys.argv[2]), sandbox.Limits(**json.loads(sys.argv[3]))
with sandbox.place() as where:
    print(where.root.parent, flush=True)
    done = subprocess.run(sandbox.command(argv, where, limits=limits), capture_output=True, text=True)
    print(json.dumps([done.returncode, done.stdout, done.stderr]))
"""
# As root we become somebody else, as anybody else there is one way only.
USERS = ("root", "nobody") if os.geteuid() == 0 else ("ours",)


@pytest.fixture(scope="module")
def package() -> Iterator[Path]:
    """A copy of the package that every user can read, with room for files of that user."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        os.chmod(folder, 0o755)
        source = Path(sandbox.__file__).parent
        shutil.copytree(source, Path(folder, "hosting"), ignore=shutil.ignore_patterns("__*"))
        Path(folder, "hosting", "__init__.py").touch()
        yield Path(folder)


@pytest.fixture(params=USERS)
def run(request: pytest.FixtureRequest, package: Path) -> object:
    """Return how to run a program in a sandbox that a given user makes."""

    def start(*argv: str, stdout: int = subprocess.PIPE, **limits: int) -> subprocess.Popen[str]:
        become = ["setpriv", "--reuid=nobody", "--regid=65534", "--clear-groups"]
        return subprocess.Popen(
            [
                *(become if request.param == "nobody" else []),
                *("/usr/bin/python3" if request.param == "nobody" else sys.executable, "-B"),
                *("-c", RUN, str(package), json.dumps(argv), json.dumps(limits)),
            ],
            stdout=stdout,
            text=True,
            cwd="/",
        )

    def finish(*argv: str, **limits: int) -> tuple[int, str, str]:
        output, _ = start(*argv, **limits).communicate(timeout=30)
        return tuple(json.loads(output.splitlines()[1]))

    finish.start = start
    finish.user = request.param
    return finish


def test_a_sandbox_can_be_made_here():
    assert sandbox.available() is None


def test_the_reason_why_none_can_be_made_is_said(monkeypatch):
    monkeypatch.setattr(sandbox, "PATH", "/nowhere")
    with pytest.raises(errors.HostingError, match="install util-linux") as caught:
        with sandbox.place():
            pass
    assert caught.value.code == "no_sandbox"


def test_the_program_reaches_no_listener_of_this_machine(run):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        dial = ["bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{port}"]
        assert subprocess.run(dial, check=False).returncode == 0  # without a sandbox it does
        code, _, complaint = run(*dial)
    assert code != 0
    assert "unreachable" in complaint


def test_the_program_reads_no_file_of_ours(run, package):
    secret = package / f"secret-{run.user}"
    secret.write_text("the master key")
    if run.user == "nobody":
        shutil.chown(secret, "nobody")
    secret.chmod(0o600)
    assert run("cat", str(secret))[:2] == (1, "")
    # What everybody may read is not there either: configuration, filestores, other homes.
    assert run("cat", "/etc/passwd")[:2] == (1, "")
    assert sorted(run("ls", "/")[1].split()) == sorted(
        {"bin", "dev", "etc", "lib", "proc", "tmp", "usr"}
        | {name for name in ("lib32", "lib64") if Path("/", name).exists()}
    )


def test_the_program_sees_no_other_process_and_none_of_our_environment(run, monkeypatch):
    monkeypatch.setenv("FLEET_SECRET", "from our environment")
    _, output, _ = run("sh", "-c", "env; ls -d /proc/[0-9]*; cat /proc/*/environ")
    assert "from our environment" not in output
    assert "PGPASSWORD" not in output
    assert {line for line in output.splitlines() if line.startswith("/proc/")} == {"/proc/1"}


def test_the_program_has_no_privilege_and_gets_none(run):
    _, output, _ = run("sh", "-c", "cat /proc/self/status; id -u; id -G; cat /proc/self/uid_map")
    lines = output.splitlines()
    assert {line.split()[1] for line in lines if line.startswith("Cap")} == {"0" * 16}
    assert "NoNewPrivs:\t1" in lines
    if run.user == "root":
        uid = int(output.split("NoNewPrivs")[1].split()[-5])
        assert uid in sandbox.FREE_IDS
    assert run("touch", "/written")[0] != 0
    assert run("touch", "/usr/written")[0] != 0


def test_memory_and_processor_are_bounded(run):
    one_long_line = "yes | head -c 200000000 | tr -d '\\n' | sort > /dev/null"
    assert "memory exhausted" in run("sh", "-c", one_long_line, memory=100 << 20)[2]
    began = time.monotonic()
    assert run("sh", "-c", "while :; do :; done", cpu_seconds=1)[0] != 0
    assert time.monotonic() - began < 15


def test_the_program_dies_with_us(run):
    mark = f"{os.getpid()}.{time.monotonic_ns() % 10**9}"
    ours = run.start("sleep", f"1000{mark}")
    folder = Path(ours.stdout.readline().strip())
    assert _wait(lambda: _running(f"1000{mark}"))
    children = _running(f"1000{mark}")
    ours.send_signal(signal.SIGKILL)
    ours.communicate()
    try:
        assert _wait(lambda: not _running(f"1000{mark}"))
    finally:
        for pid in children & _running(f"1000{mark}"):
            os.kill(pid, signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def test_what_a_killed_server_left_goes_after_a_day(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    left, others = tmp_path / "fleet-sandbox-left", tmp_path / "fleet-sandbox-others"
    for folder in (left, others):
        (folder / "shared").mkdir(parents=True)
        (folder / "shared" / "password").write_text("*")
    os.utime(left, (time.time() - 25 * 3600,) * 2)
    with sandbox.place():
        pass
    assert list(tmp_path.iterdir()) == [others]


def _wait(condition: object, seconds: float = 30) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.05)
    return False


def _running(argument: str) -> set[int]:
    """Return the processes whose program is ``sleep`` with this argument."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if entry.joinpath("cmdline").read_bytes() == f"sleep\0{argument}\0".encode():
                found.add(int(entry.name))
        except OSError:
            continue
    return found


# --- the door


@pytest.fixture(scope="module")
def databases() -> Iterator[tuple[str, str, str]]:
    """Return two databases of one server, and the server's uuid."""
    server, names = server_uuid(), (hidden_name("one"), hidden_name("other"))
    for name in names:
        cluster().create_empty(name, mark=Mark(server, "hidden"))
    yield (*names, server)
    for name in names:
        cluster().drop(name, server=server)


def _enter(host: object, **who: object) -> str:
    """Return the database that a connection reaches."""
    opened = psycopg2.connect(host=str(host), connect_timeout=30, **who)
    try:
        with opened.cursor() as cr:
            cr.execute("SELECT current_database()")
            return cr.fetchone()[0]
    finally:
        opened.close()


def test_the_door_leads_to_one_database_as_one_role(databases, tmp_path):
    name, other, server = databases
    role = restricted.RestrictedRole(cluster(), os.environ["FLEET_RESTORE_ROLE"], server)
    address = (os.environ["PGHOST"], int(os.environ["PGPORT"]))
    with (
        role.lent(name) as password,
        relay.Relay(tmp_path, address, user=role.name, database=name) as door,
    ):
        who = {"user": role.name, "password": password, "port": door.port}
        assert _enter(tmp_path, dbname=name, **who) == name
        for change in (
            {"dbname": other},
            {"dbname": "postgres"},
            # Our own role with the right password: the door does not even ask the server.
            {"dbname": name, "user": os.environ["PGUSER"], "password": os.environ["PGPASSWORD"]},
        ):
            with pytest.raises(psycopg2.OperationalError, match="closed the connection"):
                _enter(tmp_path, **(who | change))


def test_the_role_enters_no_other_database_of_ours_by_any_way(databases):
    name, other, server = databases
    role = restricted.RestrictedRole(cluster(), os.environ["FLEET_RESTORE_ROLE"], server)
    with role.lent(name) as password:
        who = {"user": role.name, "password": password, "port": os.environ["PGPORT"]}
        assert _enter(os.environ["PGHOST"], dbname=name, **who) == name
        with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
            _enter(os.environ["PGHOST"], dbname=other, **who)
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        _enter(os.environ["PGHOST"], dbname=name, **who)


def test_a_session_that_holds_its_own_role_is_ended_and_not_waited_for(databases):
    name, _other, server = databases
    # Whoever waits for the row of the role waits for the stranger.
    patient = cluster()
    patient.dsn["options"] = "-c lock_timeout=30s"
    role = restricted.RestrictedRole(patient, os.environ["FLEET_RESTORE_ROLE"], server)
    with role.lent(name) as password:
        who = {"user": role.name, "password": password, "dbname": name}
        stranger = psycopg2.connect(**who)
        stranger.cursor().execute("ALTER ROLE CURRENT_USER PASSWORD 'known'")
    with pytest.raises(psycopg2.OperationalError):
        stranger.cursor().execute("SELECT 1")
    stranger.close()


def test_a_database_that_is_open_to_all_stops_foreign_restores(databases):
    _name, other, server = databases
    role = restricted.RestrictedRole(cluster(), os.environ["FLEET_RESTORE_ROLE"], server)
    role.check()
    with cluster().cursor() as cr:
        cr.execute(f'GRANT CONNECT ON DATABASE "{other}" TO PUBLIC')
    try:
        with pytest.raises(errors.HostingError, match=other) as caught:
            role.check()
        assert caught.value.code == "restore_open"
    finally:
        cluster().close_to_public(other)
    role.check()


def test_what_a_killed_restore_left_open_is_closed_by_the_next(databases):
    name, _other, server = databases
    role = restricted.RestrictedRole(cluster(), os.environ["FLEET_RESTORE_ROLE"], server)
    with cluster().cursor() as cr:
        cr.execute(f'GRANT CONNECT ON DATABASE "{name}" TO "{role.name}"')
        role.check()
        cr.execute("SELECT has_database_privilege(%s, %s, 'CONNECT')", [role.name, name])
        assert cr.fetchone() == (False,)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "is not configured"),
        ("nobody_made_this", "does not exist"),
        ("pg_monitor", "may not log in"),
        (None, "has more rights"),
    ],
)
def test_a_role_that_could_do_more_than_load_is_refused(name, reason):
    role = restricted.RestrictedRole(cluster(), os.environ["PGUSER"] if name is None else name, "x")
    with pytest.raises(errors.HostingError, match=reason) as caught:
        role.check()
    assert caught.value.code == "restore_role"


def test_only_one_foreign_restore_at_a_time(databases):
    name, other, server = databases
    role = restricted.RestrictedRole(cluster(), os.environ["FLEET_RESTORE_ROLE"], server)
    with role.lent(name), pytest.raises(errors.Retryable, match="one after the other"):
        with role.lent(other):
            pass
