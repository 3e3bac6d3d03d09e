"""The operations on backups: take, verify, drill, forget; the plain functions do the work.

A request names repositories by number and location; their passwords and the credentials of their
storage come as secrets, ``repository.NUMBER.password`` and ``repository.NUMBER.env``.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any

from . import backup, boot, capacity, check, files, place, restore, retention, seal
from .clone import addons, hidden_of
from .contract import Argument, choice, matching, whole
from .engine import Context, Plan, Step
from .errors import HostingError
from .kind import Kind
from .manifest import Manifest, private_key, public_key
from .names import hidden_name
from .pgtools import PgTools
from .postgres import Mark
from .restic import Repository

# What a repository lacks until somebody has repaired or replaced it.
BROKEN = ("no_repository", "half_repository", "repository_damaged", "wrong_repository_password")
BACKUP_S = 6 * 3600
REACH_S = 90.0
# As the records have it: a released database's has its number behind it.
IDENTITY = matching(r"[0-9A-Za-z][0-9A-Za-z/._-]{0,99}", "the identity of a database")
BACKUP_ID = Argument(matching(r"[0-9a-z][0-9a-z-]{7,63}", "the id of a backup"))


def tools(context: Context) -> PgTools:
    """Return PostgreSQL's programs on this machine."""
    return PgTools(context.host.cluster, context.host.pg_bin)


def repository(context: Context, entry: Mapping[str, Any]) -> Repository:
    """Return a repository of the request, with its secrets, watched by the operation."""
    number = entry["id"]
    opened = Repository(
        location=entry["location"],
        password=context.secrets[f"repository.{number}.password"],
        env=json.loads(context.secrets.get(f"repository.{number}.env") or "{}"),
        binary=context.host.restic,
        cache_dir=context.host.work_dir / "restic-cache" if entry.get("remote") else None,
    )
    return opened.watched(context.progress, context.seconds_left)


def _staging(context: Context) -> Path:
    """Return the folder of links and dumps while a backup is taken or restored."""
    return context.host.work_dir / "staging"


def first_repository(context: Context) -> Repository:
    """Return the repository that backups go to first and are restored from."""
    return repository(context, context.request["repositories"][0])


def public_keys(context: Context) -> list:
    """Return the keys whose signatures on manifests are ours."""
    return [public_key(pem) for pem in context.request["public_keys"]]


# --- taking one


def prepare_repository(context: Context) -> dict[str, Any]:
    """Make the repository that takes the backup, if there is none yet."""
    first = context.request["repositories"][0]
    return {"made": repository(context, first).init(expected=_is_expected(context, first))}


def _is_expected(context: Context, entry: Mapping[str, Any]) -> bool:
    """Tell whether the records have backups in a repository, so that it may not be made anew."""
    return entry["id"] in context.request.get("expected", ())


def take(context: Context) -> dict[str, Any]:
    """Take the backup into the first repository; until it was read back it does not count."""
    host, request = context.host, context.request
    # Asked for long ago, its name may be another database's now.
    physical = place.locate(context)
    taken = backup.take(
        backup.Source(
            physical=physical,
            name=request["target"],
            uuid=request["uuid"],
            filestore=host.filestore(physical),
            staging=_staging(context),
            purpose=request["purpose"],
        ),
        backup=request["backup"],
        tools=tools(context),
        repository=first_repository(context),
        key=private_key(context.secrets["signing_key"]),
        progress=context.progress,
        remaining_s=context.seconds_left,
    )
    return asdict(taken) | {"physical": physical}


def confirm(context: Context) -> dict[str, Any]:
    """Read the backup back from the storage; from here on it counts."""
    manifest = check.confirm(
        first_repository(context),
        context.request["backup"],
        public_keys(context),
        progress=context.progress,
        remaining_s=context.seconds_left,
    )
    return {"tables": len(manifest.rows), "rows": sum(manifest.rows.values())}


def copy(context: Context) -> dict[str, Any]:
    """Copy the backup to the other repositories; each one is tried, and read back."""
    first, others = first_repository(context), context.request["repositories"][1:]
    copied, failed, broken = [], {}, []
    for entry in others:
        target = repository(context, entry)
        try:
            _reach(context, target, first, expected=_is_expected(context, entry))
            backup.copy(
                context.find("take", "snapshots"),
                source=first,
                target=target,
                progress=context.progress,
                remaining_s=context.seconds_left,
            )
            check.confirm(target, context.request["backup"], public_keys(context))
            copied.append(entry["id"])
        except HostingError as error:
            if error.code in ("cancelled", "deadline"):
                raise
            failed[str(entry["id"])] = str(error)
            if error.code in BROKEN:
                broken.append(entry["id"])
    return {"copied": copied, "failed": failed, "broken": broken}


def _reach(context: Context, target: Repository, first: Repository, *, expected: bool) -> None:
    """Open a repository, or make it; a storage that is away is given up after `REACH_S`.

    restic itself tries for a quarter of an hour, and other databases wait for their turn.
    """
    limit = time.monotonic() + REACH_S
    target.watched(
        context.progress, lambda: min(context.seconds_left(), limit - time.monotonic())
    ).init(like=first, expected=expected)


def forget(context: Context) -> dict[str, Any]:
    """Forget what the policy does not keep; the newest verified backup always stays."""
    policy = retention.Policy(**context.request["keep"])
    never = [*context.request["never"], context.request["backup"]]
    gone = {}
    for entry in context.request["repositories"]:
        if str(entry["id"]) in context.find("copy", "failed", {}):
            continue
        gone[str(entry["id"])] = retention.apply(repository(context, entry), policy, never=never)
    return {"forgotten": gone}


def backup_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan of a backup. Once it was read back, nothing of it is undone."""
    return Plan(
        (
            Step("repository", prepare_repository),
            Step("take", take),
            Step("confirm", confirm, final=True),
            Step("copy", copy),
            Step("forget", forget),
        ),
        deadline_s=BACKUP_S,
    )


# --- reading back


def read_back(context: Context) -> dict[str, Any]:
    """Check every repository and read a share of its data."""
    request, results = context.request, {}
    for entry in request["repositories"]:
        found = check.verify(
            repository(context, entry),
            public_keys(context),
            part=request["part"],
            parts=request["parts"],
            progress=context.progress,
            remaining_s=context.seconds_left,
        )
        results[str(entry["id"])] = {
            "backups": found.backups,
            "complete": found.complete,
            "snapshots": found.snapshots,
        }
    return {"results": results, "part": request["part"], "parts": request["parts"]}


def prune(context: Context) -> dict[str, Any]:
    """Give back the room of forgotten backups, where the request says it is time."""
    sizes = {}
    for entry in context.request["repositories"]:
        opened = repository(context, entry)
        if context.request["prune"]:
            opened.prune()
        sizes[str(entry["id"])] = opened.stats()["bytes"]
    return {"sizes": sizes}


def verify_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan of the nightly verification."""
    return Plan((Step("read_back", read_back), Step("prune", prune)), deadline_s=BACKUP_S)


# --- drill


def load(context: Context) -> dict[str, Any]:
    """Restore the backup into a hidden database and compare every count with its manifest."""
    forget_load(context)
    host, request = context.host, context.request
    hidden = hidden_name(request.get("hidden", "restore"))
    context.note(hidden=hidden)
    opened = first_repository(context)
    found = restore.fetch_manifest(opened, request["backup"], public_keys(context))
    _check_room(context, found.manifest)
    restored = restore.restore(
        found,
        restore.Target(
            database=hidden,
            mark=Mark(host.server, "hidden", uuid=request["uuid"], operation=context.operation),
            filestore=host.filestore(hidden),
            work=_staging(context),
        ),
        tools=tools(context),
        repository=opened,
        every_file=bool(request.get("every_file")),
        progress=context.progress,
        remaining_s=context.seconds_left,
    )
    return asdict(restored) | {"purpose": found.manifest.purpose}


def _check_room(context: Context, manifest: Manifest) -> None:
    """Refuse a restore that the machine has no room for: database, files, uncompressed dump."""
    wanted = capacity.Wanted(
        max(manifest.database_size, manifest.dump_size),
        beside=manifest.dump_size + manifest.files_bytes,
        served=False,
    )
    capacity.check_wanted(context.host, wanted)


def forget_load(context: Context) -> None:
    """Drop the hidden database of an earlier try, with its files and its uncompressed dump."""
    hidden = context.find("load", "hidden")
    if hidden:
        shutil.rmtree(restore.work_folder(_staging(context), hidden), ignore_errors=True)
        context.host.cluster.drop(hidden, server=context.host.server)
        files.remove_tree(context.host.filestore(hidden))


def seal_loaded(context: Context) -> dict[str, Any]:
    """Make the restored copy inert before anything boots it."""
    with closing(context.host.cluster.connect(hidden_of(context), autocommit=False)) as connection:
        seal.seal(
            connection,
            addons=addons(context),
            identity=context.request["uuid"],
            purpose="staging",
            keep_logins=False,
        )
    return {}


def boot_loaded(context: Context) -> dict[str, Any]:
    """Start Odoo on the restored copy, on the loopback interface only, and open its login page."""
    return boot.login_page(context.host, hidden_of(context), seconds=context.seconds_left())


def drop_loaded(context: Context) -> dict[str, Any]:
    """Drop the copy; the drill is over."""
    forget_load(context)
    return {}


def drill_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan of a drill: a restore that nobody sees, from the storage to the login page."""
    return Plan(
        (
            Step("load", load, undo=forget_load),
            Step("seal", seal_loaded, restart="load"),
            Step("boot", boot_loaded, restart="load"),
            Step("drop", drop_loaded),
        ),
        deadline_s=BACKUP_S,
    )


REASONS = ("manual", "scheduled", "final", "before")
KINDS = (
    Kind(
        "backup",
        backup_plan,
        {"reason": Argument(choice(*REASONS), default="manual")},
        owner="saas.backup",
        slow=True,
    ),
    Kind(
        "verify",
        verify_plan,
        {
            "part": Argument(whole(1, 365)),
            "parts": Argument(whole(1, 365)),
            "identity": Argument(IDENTITY),
        },
        owner="saas.backup",
        slow=True,
    ),
    Kind(
        "drill",
        drill_plan,
        {"backup": BACKUP_ID, "identity": Argument(IDENTITY)},
        owner="saas.backup",
        slow=True,
    ),
)
