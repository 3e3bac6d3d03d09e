"""restic as a child of ours: what its ends mean, what it is told, and that it never outlives us."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from hosting import children, restic
from hosting.errors import Cancelled, HostingError, Retryable
from support.backups import PASSWORD, cheap, make, packs, repository

from fleetdev import restic as program

TAGS = ["backup=20300101t000000-abcd", "part=dump"]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Give a repository with one small snapshot; tests that damage it make their own."""
    repo = repository(tmp_path_factory.mktemp("restic") / "repo")
    assert repo.init()
    cheap(repo)
    repo.backup_bytes(b"hello", "greeting", TAGS)
    return repo


def wrapped(folder, script, **changes):
    """Return a repository whose restic is a shell script; ``$RESTIC`` is the real one."""
    path = folder / "restic"
    path.write_text(f"#!/bin/sh\nRESTIC={program.ensure()}\n{script}\n")
    path.chmod(0o755)
    return repository(folder / "repo", binary=str(path), **changes)


@contextlib.contextmanager
def running(repo, *arguments):
    """Run restic beside the block, and kill it at its end."""
    child = subprocess.Popen(
        [repo.binary, "-r", repo.location, "--no-cache", *arguments],
        env=os.environ | {"RESTIC_PASSWORD": PASSWORD},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield child
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait()


def held_locks(repo):
    """Return the locks that hold: while restic writes one, it has another name and holds nobody up."""
    return [name for name in os.listdir(os.path.join(repo.location, "locks")) if len(name) == 64]


def code_of(call, *arguments, **options):
    with pytest.raises(HostingError) as raised:
        call(*arguments, **options)
    assert PASSWORD not in str(raised.value)
    return raised.value.code


def test_a_repository_is_made_once(made):
    assert made.init() is False


def test_a_repository_whose_making_was_interrupted_is_made_all_the_same(tmp_path):
    repo = repository(tmp_path / "repo")
    repo.init()
    # What restic writes last.
    (tmp_path / "repo" / "config").unlink()
    assert repo.init() is True
    assert repo.backup_bytes(b"hello", "greeting", TAGS).bytes == 5


def test_a_repository_that_lost_its_configuration_keeps_its_key(tmp_path):
    repo = repository(tmp_path / "repo")
    repo.init()
    repo.backup_bytes(b"hello", "greeting", TAGS)
    keys = sorted((tmp_path / "repo" / "keys").iterdir())
    (tmp_path / "repo" / "config").unlink()
    assert code_of(repo.init) == "half_repository"
    assert sorted((tmp_path / "repo" / "keys").iterdir()) == keys


def test_what_a_removed_repository_left_behind_is_named(tmp_path):
    repo = repository(tmp_path / "repo")
    make(repo)
    told = []

    def remove(*_told):
        if not told and any((tmp_path / "repo" / "locks").iterdir()):
            told.append(True)
            shutil.rmtree(repo.location)

    with contextlib.suppress(HostingError):
        repo.watched(remove, children.no_limit).backup_stdin(
            ["sh", "-c", "sleep 3; head -c 3000000 /dev/urandom"], "dump", TAGS
        )
    assert told and (tmp_path / "repo").exists(), "restic has made some of its folders again"
    with pytest.raises(HostingError) as raised:
        repo.init()
    assert raised.value.code == "repository_remains"
    assert str(tmp_path / "repo") in str(raised.value)


def test_a_restic_that_tells_a_check_in_words_is_understood(tmp_path, made):
    # restic 0.17, cmd_check.go: --json changes nothing of this.
    said = "load indexes\ncheck all packs\n[0:00] 100.00%  1 / 1 snapshots\nno errors were found"
    repo = wrapped(tmp_path, f"printf '{said.replace('%', '%%')}\n'; exec $RESTIC \"$@\"")
    restic.dataclasses.replace(repo, location=made.location).check((1, 1))


def test_what_was_saved_comes_back_by_its_tags(made):
    found = made.snapshots(*TAGS)
    assert len(found) == 1 and found[0].original == found[0].id
    assert made.snapshots("part=files") == []
    blocks = []
    made.dump_to(found[0].id, "/greeting", blocks.append)
    assert b"".join(blocks) == b"hello"


def test_a_wrong_password_and_a_missing_repository_have_names_of_their_own(made, tmp_path):
    wrong = repository(made.location, password="wrong")
    assert code_of(wrong.snapshots) == "wrong_repository_password"
    assert code_of(wrong.init) == "wrong_repository_password", "it would make another one"
    assert code_of(repository(tmp_path / "none").snapshots) == "no_repository"


def test_a_command_that_fails_saves_nothing(made):
    before = made.snapshots()
    command = ["sh", "-c", "head -c 3000000 /dev/urandom; exit 3"]
    assert code_of(made.backup_stdin, command, "dump", TAGS) == "backup_source_failed"
    assert made.snapshots() == before


def test_the_command_gets_its_environment_and_not_the_repositorys_password(tmp_path):
    from hosting import digest_child

    repo = repository(tmp_path / "repo")
    make(repo)
    script = [sys.executable, "-I", "-S", digest_child.__file__, str(tmp_path / "side"), "env"]
    saved = repo.backup_stdin(script, "environment", TAGS, env={"PGHOST": "here"})
    blocks = []
    repo.dump_to(saved.snapshot, "/environment", blocks.append)
    seen = b"".join(blocks).decode()
    assert "PGHOST=here" in seen
    assert PASSWORD not in seen and "RESTIC_" not in seen


def test_no_secret_is_ever_an_argument(tmp_path):
    log = tmp_path / "log"
    repo = wrapped(
        tmp_path,
        f'echo "$@" >> {log}\nexec $RESTIC "$@"',
        env={"AWS_SECRET_ACCESS_KEY": "hush-hush"},
    )
    repo.init()
    cheap(repo)
    saved = repo.backup_bytes(b"x", "x", TAGS)
    repo.check()
    repo.forget([saved.snapshot])
    said = log.read_text()
    assert "backup" in said and "forget" in said
    assert PASSWORD not in said and "hush-hush" not in said


def start_holder(made):
    """Start a restic that saves for ten minutes, in a process group of its own."""
    command = [made.binary, "-r", made.location, "--no-cache", "backup", "--stdin-from-command"]
    return subprocess.Popen(
        [*command, "--", "sleep", "600"],
        env=os.environ | {"RESTIC_PASSWORD": PASSWORD},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def wait_for_lock(made):
    end = time.monotonic() + 20
    while not held_locks(made) and time.monotonic() < end:
        time.sleep(0.05)


def test_a_lock_of_a_dead_program_is_removed_and_that_of_a_living_one_is_respected(
    made, monkeypatch
):
    monkeypatch.setattr(restic, "LOCK_WAIT_S", 1.0)
    living = start_holder(made)
    try:
        wait_for_lock(made)
        with pytest.raises(Retryable) as raised:
            made.check()
        assert raised.value.code == "repository_locked"
    finally:
        os.killpg(living.pid, signal.SIGKILL)
        living.wait()
    assert held_locks(made), "the killed program has left its lock"
    made.check()


def test_a_lock_whose_dead_program_nobody_has_waited_for_yet_goes_as_soon_as_somebody_does(made):
    dead = start_holder(made)
    wait_for_lock(made)
    os.killpg(dead.pid, signal.SIGKILL)
    # To restic it lives on: a signal reaches it. In a container init may take seconds for it.
    waits = threading.Timer(4.0, dead.wait)
    waits.start()
    try:
        made.check()
    finally:
        waits.join()
    assert not held_locks(made)


def test_a_lock_that_a_crash_has_torn_holds_nobody_up(tmp_path):
    repo = repository(tmp_path / "repo")
    make(repo)
    saved = repo.backup_bytes(b"hello", "greeting", TAGS)
    torn = tmp_path / "repo" / "locks" / ("ab" * 32)
    calls = {
        "backup": lambda: repo.backup_bytes(b"hello", "greeting", TAGS),
        "verify": repo.check,
        "restore": lambda: repo.dump_to(saved.snapshot, "/greeting", lambda _block: None),
    }
    for call in calls.values():
        torn.write_bytes(b"garbage" * 30)
        call()
        assert not torn.exists()


def test_no_lock_that_can_be_read_goes_with_a_torn_one(made, tmp_path, monkeypatch):
    monkeypatch.setattr(restic, "LOCK_WAIT_S", 1.0)
    locks, begun = os.path.join(made.location, "locks"), tmp_path / "begun"
    command = ["sh", "-c", f"touch {begun}; exec sleep 600"]
    with running(made, "backup", "--stdin-from-command", "--", *command):
        end = time.monotonic() + 60
        while not begun.exists():
            assert time.monotonic() < end
            time.sleep(0.05)
        held = held_locks(made)
        with open(os.path.join(locks, "ab" * 32), "wb") as torn:
            torn.write(b"garbage" * 30)
        assert code_of(made.check) == "repository_locked"
        assert len(held) == 1 and held_locks(made) == held
    made.unlock()


def test_a_torn_lock_that_cannot_be_removed_from_here_is_no_damage(tmp_path):
    # What restic 0.19 says; a remote repository's locks are no files of ours.
    said = "Fatal: invalid lock file: LoadRaw(<lock/abababab>): invalid data returned"
    repo = wrapped(tmp_path, f"echo '{said}' >&2; exit 1")
    repo = restic.dataclasses.replace(repo, location="s3:http://127.0.0.1:9/acme")
    with pytest.raises(HostingError) as raised:
        repo.check()
    assert raised.value.code == "broken_lock" and "invalid data" not in str(raised.value)


@pytest.mark.parametrize("command", ["cat /dev/urandom", "sleep 600"])
def test_a_cancelled_backup_leaves_no_lock(tmp_path, command):
    repo = repository(tmp_path / "repo")
    make(repo)

    def cancel(*_told):
        if held_locks(repo):
            raise Cancelled

    with pytest.raises(Cancelled):
        repo.watched(cancel, children.no_limit).backup_stdin(["sh", "-c", command], "dump", TAGS)
    assert not held_locks(repo)


def test_a_cancelled_restore_leaves_no_lock(tmp_path):
    repo = repository(tmp_path / "repo")
    make(repo)
    saved = repo.backup_bytes(os.urandom(30_000_000), "large", TAGS)

    def cancel(_block):
        raise Cancelled

    with pytest.raises(Cancelled):
        repo.dump_to(saved.snapshot, "/large", cancel)
    assert not held_locks(repo)


def test_the_snapshots_are_listed_and_the_repository_is_found_while_a_check_holds_its_lock(made):
    command = [made.binary, "-r", made.location, "--no-cache", "check"]
    checking = subprocess.Popen(
        command, env=os.environ | {"RESTIC_PASSWORD": PASSWORD}, stdout=subprocess.DEVNULL
    )
    locks = os.path.join(made.location, "locks")
    try:
        end = time.monotonic() + 20
        # While it is written, the lock has another name and holds nobody up.
        while not [name for name in os.listdir(locks) if len(name) == 64]:
            assert time.monotonic() < end
            time.sleep(0.005)
        checking.send_signal(signal.SIGSTOP)
        held = os.listdir(locks)
        assert held and made.snapshots() and made.exists()
        assert os.listdir(locks) == held
    finally:
        checking.kill()
        checking.wait()
        made.unlock()


def test_forgotten_snapshots_give_their_room_back(tmp_path):
    repo = repository(tmp_path / "repo")
    make(repo)
    kept = repo.backup_bytes(b"keep me", "kept", TAGS)
    gone = repo.backup_bytes(os.urandom(3_000_000), "gone", TAGS)
    assert repo.stats()["bytes"] > 3_000_000
    assert repo.forget([gone.snapshot, "0" * 64], never=[kept.snapshot]) == 1
    repo.prune()
    assert repo.stats()["bytes"] < 100_000
    assert code_of(repo.forget, [kept.snapshot], never=[kept.snapshot]) == "newest_kept"
    assert [entry.id for entry in repo.snapshots()] == [kept.snapshot]
    assert packs(repo)


@pytest.mark.parametrize(
    "code, words, expected, again",
    [
        (1, "Fatal: write /repo/data/ab/cd: no space left on device", "storage_full", False),
        (1, "Fatal: client.PutObject: Access Denied.", "storage_refused", False),
        (1, "Fatal: Get x: dial tcp 127.0.0.1:9: connect: connection refused", "storage_unreachable", True),
        (1, "Fatal: 503 Service Unavailable", "storage_unreachable", True),
        (3, "error: read /x: input/output error", "unreadable_files", False),
        (11, "unable to create lock in backend", "repository_locked", True),
        (1, "Fatal: something unheard of", "restic_failed", False),
    ],
)  # fmt: skip
def test_each_end_of_restic_has_a_name(tmp_path, monkeypatch, code, words, expected, again):
    monkeypatch.setattr(restic, "LOCK_WAIT_S", 1.0)
    repo = wrapped(tmp_path, f"echo '{words}' >&2; exit {code}")
    with pytest.raises(HostingError) as raised:
        repo.backup_bytes(b"x", "x", TAGS)
    assert (raised.value.code, raised.value.retryable) == (expected, again)


def test_a_snapshot_that_cannot_be_read_is_damage_and_no_stack_of_restics_own_is_shown(tmp_path):
    repo = repository(tmp_path / "repo")
    make(repo)
    (tmp_path / "repo" / "snapshots" / ("cd" * 32)).write_bytes(b"garbage" * 30)
    with pytest.raises(HostingError) as raised:
        repo.backup_files(program.ensure().parent, TAGS)
    assert raised.value.code == "repository_damaged"
    assert "failed to load snapshot cdcdcdcd" in raised.value.facts["reason"]
    assert not [
        word for word in ("github.com", ".go:", "errgroup", "{") if word in str(raised.value)
    ]


@pytest.mark.parametrize("damage", ["truncated", "removed"])
def test_a_damaged_pack_has_the_same_name_whoever_meets_it(tmp_path, damage):
    repo = repository(tmp_path / "repo")
    make(repo)
    source = tmp_path / "source"
    source.mkdir()
    for number in range(60):  # more complaints than are kept
        (source / f"file{number}").write_bytes(os.urandom(20_000))
    saved = repo.backup_files(source, TAGS)
    for pack in packs(repo):
        pack.chmod(0o600)
        if damage == "removed":
            pack.unlink()
        else:
            os.truncate(pack, pack.stat().st_size // 2)
    other = repository(tmp_path / "other")
    make(other)
    calls = {
        "backup": lambda: repo.backup_files(source, TAGS),
        "restore": lambda: repo.restore(saved.snapshot, tmp_path / "back"),
        "read": lambda: repo.dump_to(saved.snapshot, "/file7", lambda _block: None),
        "copy": lambda: other.copy_from(repo, [saved.snapshot]),
        "verify": repo.check,
    }
    for name, call in calls.items():
        with pytest.raises(HostingError) as raised:
            call()
        assert raised.value.code == "repository_damaged", (name, str(raised.value))
        assert "{" not in str(raised.value), name


def test_of_many_errors_the_first_and_the_last_are_kept_whole():
    script = 'for n in $(seq 1 3000); do echo "this is the line $n" >&2; done'
    lines = children.run(["sh", "-c", script], env={}).errors.splitlines()
    assert lines[0] == "this is the line 1" and lines[-1] == "this is the line 3000"
    assert len(lines) < 600
    assert all(line.startswith("this is the line ") for line in lines)


def test_a_restic_that_is_killed_is_no_damage_and_the_sentence_says_so(tmp_path):
    seen = tmp_path / "pid"
    repo = wrapped(tmp_path, f'echo $$ > {seen}; exec $RESTIC "$@"')
    make(repo)
    locks = tmp_path / "repo" / "locks"

    def kill(*_told):
        if any(locks.iterdir()):
            os.kill(int(seen.read_text()), signal.SIGKILL)

    with pytest.raises(HostingError) as raised:
        repo.watched(kill, children.no_limit).backup_stdin(
            ["sleep", "600"], "database.dump", TAGS, what="Saving the database"
        )
    assert raised.value.code == "restic_killed"
    assert str(raised.value).startswith("restic could not save database.dump: it was killed")
    assert "signal 9" in str(raised.value) and "memory" in str(raised.value)


def test_a_check_that_is_killed_has_found_no_damage(tmp_path):
    assert code_of(wrapped(tmp_path, "kill -9 $$").check) == "restic_killed"
    # What restic ends with when somebody else asks it to stop.
    assert code_of(wrapped(tmp_path, "exit 130").check) == "restic_killed"


def test_a_command_that_is_killed_is_called_so_once(made, tmp_path):
    from hosting import digest_child

    script = [sys.executable, "-I", "-S", digest_child.__file__, str(tmp_path / "side")]
    with pytest.raises(HostingError) as raised:
        made.backup_stdin([*script, "sh", "-c", "kill -9 $$"], "dump", TAGS)
    assert raised.value.code == "backup_source_failed"
    reason = raised.value.facts["reason"]
    assert reason == "it was killed (signal 9), perhaps for want of memory"
    with pytest.raises(HostingError) as raised:
        made.backup_stdin(["sh", "-c", "exit 7"], "dump", TAGS)
    assert str(raised.value).count("exit status 7") == 1


def test_a_folder_that_is_made_read_only_meanwhile_ends_the_backup_soon(tmp_path):
    # What restic 0.19 says of it, again and again.
    said = "Save(<data/f6>) returned error, retrying after 1.2s: open /x: read-only file system"
    repo = wrapped(tmp_path, f"echo '{said}' >&2; exec sleep 600")
    began = time.monotonic()
    with pytest.raises(HostingError) as raised:
        repo.backup_bytes(b"x", "x", TAGS)
    assert raised.value.code == "storage_refused"
    assert "read-only file system" in str(raised.value)
    assert time.monotonic() - began < 60


def test_credentials_in_an_address_or_an_answer_are_not_shown(tmp_path):
    location = "rest:http://admin:hunter2hunter2@127.0.0.1:9/acme"
    repo = wrapped(
        tmp_path,
        f"echo 'Fatal: {location}: dial tcp refused for {PASSWORD} key-of-the-storage' >&2; exit 1",
        env={"AWS_SECRET_ACCESS_KEY": "key-of-the-storage"},
    )
    with pytest.raises(Retryable) as raised:
        restic.dataclasses.replace(repo, location=location).snapshots()
    said = str(raised.value)
    assert "127.0.0.1:9/acme" in said
    assert not [secret for secret in ("hunter2", PASSWORD, "key-of-the-storage") if secret in said]
    assert "hunter2" not in repr(repo) and PASSWORD not in repr(repo)


def test_two_storages_with_different_keys_are_refused_for_a_copy(made, tmp_path):
    one = repository(made.location, env={"AWS_ACCESS_KEY_ID": "one"})
    other = repository(tmp_path / "other", env={"AWS_ACCESS_KEY_ID": "two"})
    assert code_of(other.copy_from, one, ["latest"]) == "two_credentials"


def test_a_missing_or_old_restic_is_named(tmp_path):
    assert restic.version(str(program.ensure())) >= (0, 17)
    assert code_of(restic.version, str(tmp_path / "none")) == "child_missing"
    repo = wrapped(tmp_path, "echo 'restic 0.16.4 compiled with go1.21'")
    assert code_of(restic.version, repo.binary) == "restic_too_old"


def test_a_child_that_ignores_the_polite_signal_is_killed_at_its_deadline(monkeypatch):
    monkeypatch.setattr(children, "GRACE_S", 0.3)
    end = time.monotonic() + 0.5
    ended = children.run(
        ["sh", "-c", "trap '' INT; echo going on >&2; while :; do sleep 0.1; done"],
        env={},
        remaining_s=lambda: end - time.monotonic(),
    )
    assert ended.stopped and ended.seconds < 5
    with pytest.raises(HostingError) as raised:
        children.check_time(ended, "sh")
    assert raised.value.code == "child_deadline" and "going on" in str(raised.value)


def test_children_and_their_children_go_when_the_call_ends(tmp_path):
    seen = tmp_path / "pid"
    children.run(["sh", "-c", f"sleep 600 >/dev/null 2>&1 & echo $! > {seen}"], env={})
    assert gone(int(seen.read_text()))


def test_a_child_that_left_its_outputs_is_still_ended_at_its_deadline():
    end = time.monotonic() + 0.5
    ended = children.run(
        ["sh", "-c", "exec >&- 2>&-; exec sleep 20"],
        env={},
        remaining_s=lambda: end - time.monotonic(),
    )
    assert ended.stopped and ended.seconds < 10


def test_what_a_child_leaves_behind_holds_nobody_up(tmp_path, monkeypatch):
    monkeypatch.setattr(children, "GRACE_S", 0.3)
    seen, said = tmp_path / "pid", []
    # In a session of its own, so that no signal to the child's group reaches it.
    leave = f"setsid sh -c 'echo $$ > {seen}; exec sleep 20' & echo done"
    ended = children.run(["sh", "-c", leave], env={}, feed=said.append)
    os.kill(int(seen.read_text()), signal.SIGKILL)
    assert ended.seconds < 10 and not ended.stopped
    assert b"".join(said) == b"done\n"


def test_a_child_dies_when_its_parent_is_killed(tmp_path):
    seen = tmp_path / "pid"
    script = (
        f"import sys; sys.path[:0] = {sys.path[:6]!r}\n"
        "from hosting import children\n"
        f"children.run(['sh', '-c', 'echo $$ > {seen}; exec sleep 600'], env={{}})\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", script])
    end = time.monotonic() + 60
    while not (seen.exists() and seen.read_text().strip()) and time.monotonic() < end:
        time.sleep(0.05)
    child = int(seen.read_text())
    assert not gone(child, patience=0.1)
    parent.kill()
    parent.wait()
    assert gone(child)


def gone(pid, patience=30.0):
    """Tell whether a process ends within ``patience`` seconds; a zombie has ended."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            with open(f"/proc/{pid}/stat") as handle:
                if handle.read().rpartition(")")[2].split()[0] == "Z":
                    return True
        except OSError:
            return True
        time.sleep(0.05)
    return False
