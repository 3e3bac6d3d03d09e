"""The operations that give a database away as an archive, and take one in.

An archive that comes in is a stranger's, whoever uploaded it: it is looked at before anything of
it is used, loaded in the sandbox into a database that nobody sees, and from there on it goes the
way of every clone. Archives that go out wait in a folder for a day.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import IO, Any

from . import archive, archive_check, capacity, clone, files, foreign, place
from .backup_work import forget_load, tools
from .contract import Argument, choice, flag, mapping, matching, text
from .engine import Context, Plan, Step
from .errors import HostingError, sentences
from .failpoints import failpoint
from .host import Host
from .kind import Kind
from .names import hidden_name
from .postgres import Mark
from .restricted import RestrictedRole

DEADLINE_S = 6 * 3600
KEPT_S = 24 * 3600
_EXPORT = re.compile(r"[a-z0-9-]{3,42}-[0-9]{8}-[0-9]{6}-[0-9a-f]{8}\.zip")
_UPLOAD = re.compile(r"[0-9a-f]{32}")
# A dump is text; compressed it takes a fifth of the database's room or less.
_PACKED = 5
_RESERVE = 256 << 20

sentences(
    export_full="The archive needs about %(needed_mb)s MB in %(folder)s, and only %(free_mb)s MB "
    "are free there. Free some space, then try again.",
    no_upload="The uploaded archive is not on this server any more. Upload it again.",
)


# --- the two folders


def exports(host: Host) -> Path:
    """Return the folder of finished archives; only the server's own user may look into it."""
    return _private(host.work_dir / "exports")


def uploads(host: Host) -> Path:
    """Return the folder of archives that were uploaded and wait to be taken in."""
    return _private(host.work_dir / "uploads")


def _private(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def export_path(host: Host, file: object) -> Path | None:
    """Return the path of a finished archive, None when ``file`` is no such name or is gone."""
    if not isinstance(file, str) or not _EXPORT.fullmatch(file):
        return None
    path = exports(host) / file
    return path if path.is_file() else None


def upload_path(host: Host, upload: object) -> Path:
    """Return the path of an uploaded archive; raise ``no_upload``."""
    if isinstance(upload, str) and _UPLOAD.fullmatch(upload):
        path = uploads(host) / upload
        if path.is_file():
            return path
    raise HostingError("no_upload")


def store_upload(host: Host, blocks: Iterable[bytes]) -> str:
    """Write an archive as it comes in; return the name by which the operation finds it."""
    name = secrets.token_hex(16)
    path = uploads(host) / name
    try:
        with open(path, "xb", opener=_owner_only) as target:
            for block in blocks:
                target.write(block)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return name


def copy_upload(host: Host, source: IO[bytes], progress: Callable[[int], None]) -> str:
    """Copy a file that is on this machine already; see `store_upload`.

    It is copied because what was checked must be what is loaded, whoever may write the original.

    :raises HostingError: ``export_full`` before anything is copied
    """
    _check_free(uploads(host), os.fstat(source.fileno()).st_size)
    done = 0

    def blocks() -> Iterable[bytes]:
        nonlocal done
        while block := source.read(1 << 20):
            yield block
            done += len(block)
            progress(done)

    return store_upload(host, blocks())


def _owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def remove_old(host: Host, *, used: Iterable[str] = ()) -> list[str]:
    """Remove what is over in both folders, a day after its time stamp, except ``used``."""
    limit = time.time() - KEPT_S
    removed = []
    for folder in (exports(host), uploads(host)):
        for entry in os.scandir(folder):
            if entry.name in used or entry.stat(follow_symlinks=False).st_mtime > limit:
                continue
            _remove(Path(entry.path))
            removed.append(entry.name)
    return removed


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


# --- export


def check_room(context: Context) -> dict[str, Any]:
    """Find the database and refuse when its archive would not fit."""
    return room_for(context, place.locate(context))


def room_for(context: Context, physical: str) -> dict[str, Any]:
    """Raise ``export_full`` when the archive of a database would not fit."""
    host = context.host
    facts = host.cluster.facts(physical)
    count, size = files.usage(host.filestore(physical))
    _check_free(exports(host), size + (facts.size if facts else 0) // _PACKED)
    return {"physical": physical, "files": count}


def _check_free(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free - needed < _RESERVE:
        raise HostingError(
            "export_full",
            folder=folder,
            needed_mb=(needed + _RESERVE) >> 20,
            free_mb=free >> 20,
        )


def write_archive(context: Context) -> dict[str, Any]:
    """Write the archive; it is kept for a day."""
    return save(context, place.locate(context))


def save(context: Context, physical: str, keep_s: int = KEPT_S) -> dict[str, Any]:
    """Write the archive of a database; it has its name only when it is complete.

    :param keep_s: for how long it is kept
    """
    remove_archive(context)
    host, target = context.host, context.request["target"]
    file = f"{target}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{secrets.token_hex(4)}.zip"
    context.note(file=file)
    failpoint("archive.noted")
    stage = exports(host) / f".{file}.files"
    stage.mkdir(mode=0o700)
    try:
        done = archive.export_zip(
            tools(context),
            physical,
            host.filestore(physical),
            exports(host) / file,
            staging=stage,
            name=target,
            progress=context.progress,
            remaining_s=context.seconds_left,
        )
    finally:
        shutil.rmtree(stage, ignore_errors=True)
    missing = len(done.missing)
    until = _keep(exports(host) / file, keep_s)
    return {"bytes": done.size, "files": done.files, "missing": missing, "until": until}


def _keep(path: Path, seconds: int) -> str:
    """Have a file stay for so long; return its end, UTC. `remove_old` goes by its time stamp."""
    until = time.time() + seconds
    os.utime(path, (until - KEPT_S,) * 2)
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(until))


def remove_exports(host: Host, names: Iterable[object]) -> None:
    """Remove archives by their names, before their time."""
    for name in names:
        if path := export_path(host, name):
            path.unlink(missing_ok=True)


def remove_archive(context: Context) -> None:
    """Remove the archive with everything that was begun of it."""
    file = context.find("write", "file")
    if file:
        for name in (file, f".{file}.part", f".{file}.files"):
            _remove(exports(context.host) / name)


def export_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan of an export."""
    return Plan(
        (Step("fits", check_room), Step("write", write_archive, undo=remove_archive)),
        deadline_s=DEADLINE_S,
    )


# --- import


def inspect_upload(context: Context) -> dict[str, Any]:
    """Look at the archive before anything of it is used; refuse what cannot work here."""
    host = context.host
    path = upload_path(host, context.request["upload"])
    found = archive_check.inspect(path)
    addons = clone.addons(context)
    for module in sorted(found.modules):
        if addons.folder(module) is None:
            raise HostingError("module_missing", module=module)
    # A custom dump does not say how big it becomes.
    size = max(found.dump_bytes + found.file_bytes, path.stat().st_size)
    capacity.check_wanted(host, capacity.Wanted(size))
    return {name: value for name, value in asdict(found).items() if name != "modules"} | {
        "modules": len(found.modules)
    }


def load_upload(context: Context) -> dict[str, Any]:
    """Load the archive in the sandbox into a hidden database of its own."""
    forget_load(context)
    host, uuid = context.host, context.request["uuid"]
    hidden = hidden_name("import")
    context.note(hidden=hidden)
    failpoint("archive.load_noted")
    return load_into(
        context, hidden, Mark(host.server, "hidden", uuid=uuid, operation=context.operation)
    )


def load_into(context: Context, hidden: str, mark: Mark) -> dict[str, Any]:
    """Load the archive of the request in the sandbox; ``hidden`` was noted before."""
    host = context.host
    done = foreign.restore_foreign(
        tools(context),
        upload_path(host, context.request["upload"]),
        hidden,
        host.filestore(hidden),
        role=RestrictedRole(
            host.cluster, host.restore_role, host.server, also=(host.server_database,)
        ),
        mark=mark,
        room=lambda: capacity.check_wanted(host, capacity.Wanted(0, served=False)),
        progress=context.progress,
        remaining_s=context.seconds_left,
    )
    return {
        "files": done.files,
        "file_bytes": done.file_bytes,
        "database_bytes": done.database_bytes,
        "seconds": round(done.seconds, 1),
    }


def remove_upload(context: Context) -> dict[str, Any]:
    """Remove the upload; the database is there now."""
    (uploads(context.host) / context.request["upload"]).unlink(missing_ok=True)
    return {}


IMPORT = (
    Step("inspect", inspect_upload),
    Step("reserve", clone.reserve_name),
    Step("load", load_upload, undo=forget_load),
    *(
        replace(step, restart="load" if step.restart else "")
        for step in clone.STEPS
        if step.name not in ("reserve", "copy")
    ),
    Step("remove_upload", remove_upload),
)


def import_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan of an import: sealed and shown like every clone."""
    return Plan(IMPORT, deadline_s=DEADLINE_S)


UPLOAD = {
    "upload": Argument(matching(_UPLOAD.pattern, "the name of an upload"), required=True),
    "file": Argument(text(200), default=""),
}
KINDS = (
    Kind("export_archive", export_plan, public=False, slow=True),
    Kind(
        "import_archive",
        import_plan,
        UPLOAD
        | {
            "purpose": Argument(choice(*clone.PURPOSES), default="staging"),
            "personal": Argument(mapping(), default={}),
            "keep_logins": Argument(flag, default=False),
        },
        public=False,
        slow=True,
    ),
)
