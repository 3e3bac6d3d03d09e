"""Look whether this machine has what hosting needs, as an operation whose evidence can be read."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from typing import Any

from .engine import Context, Plan, Step
from .errors import HostingError, sentences
from .kind import Kind, only

SERVER = "server"  # the target of operations on the whole machine
POSTGRES_MIN = 15
RESTIC_MIN = (0, 17)
PROGRAM_S = 20

sentences(
    postgres_old="PostgreSQL %(version)s is too old for hosting; version 15 or newer is needed.",
    no_createdb="The PostgreSQL role %(role)s may not create databases: ALTER ROLE … CREATEDB.",
    program_missing="The program %(program)s cannot be started (%(reason)s). Install it, or say "
    "where it is in odoo.conf.",
    program_old="%(program)s %(version)s is too old; %(wanted)s or newer is needed.",
    folder_closed="The folder %(folder)s cannot be written to by Odoo's user: %(reason)s.",
)


def program_version(path: str, *, argument: str = "--version") -> str:
    """Return the version that a program prints, such as ``18.1``; raise ``program_missing``."""
    try:
        done = subprocess.run(
            [path, argument],
            capture_output=True,
            text=True,
            timeout=PROGRAM_S,
            check=True,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise HostingError("program_missing", program=path, reason=type(error).__name__) from error
    found = re.search(r"\d+(\.\d+)+", done.stdout)
    return found.group() if found else "?"


def _postgres(context: Context) -> dict[str, Any]:
    with context.host.cluster.cursor() as cr:
        cr.execute(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'), "
            "rolname, rolcreatedb, rolsuper FROM pg_roles WHERE rolname = current_user"
        )
        number, version, role, createdb, superuser = cr.fetchone()
    if number < POSTGRES_MIN * 10000:
        raise HostingError("postgres_old", version=version)
    if not createdb:
        raise HostingError("no_createdb", role=role)
    return {"version": version, "role": role, "superuser": superuser}


def _programs(context: Context) -> dict[str, Any]:
    host = context.host
    versions = {
        name: program_version(host.program(name)) for name in ("pg_dump", "pg_restore", "psql")
    }
    restic = program_version(host.restic, argument="version")
    if tuple(map(int, restic.split(".")[:2])) < RESTIC_MIN:
        raise HostingError("program_old", program="restic", version=restic, wanted="0.17")
    return versions | {"restic": restic}


def _folders(context: Context) -> dict[str, Any]:
    free = {}
    for name, folder in (
        ("files", context.host.data_dir / "filestore"),
        ("backups", context.host.backups),
        ("work", context.host.work_dir),
    ):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".fleet-probe"
            probe.write_text("")
            probe.unlink()
        except OSError as error:
            raise HostingError("folder_closed", folder=folder, reason=error.strerror) from error
        free[f"{name}_free_mb"] = shutil.disk_usage(folder).free >> 20
    return free


def _plan(_request: Mapping[str, Any]) -> Plan:
    return Plan(
        (Step("postgres", _postgres), Step("programs", _programs), Step("folders", _folders)),
        deadline_s=120,
    )


KINDS = (Kind("check", _plan, owner="saas.health", check_target=only(SERVER)),)
