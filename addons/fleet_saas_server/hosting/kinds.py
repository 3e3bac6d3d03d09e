"""Every kind of operation this server can be asked for."""

from __future__ import annotations

from . import (
    archive_work,
    backup_forget,
    backup_work,
    clone,
    document,
    domains,
    export_work,
    health,
    leave,
    life,
    module_work,
    monitor,
    move_work,
    owner_work,
    pool_work,
    reconcile,
    restore_work,
    snapshot_copy,
    template,
    template_archive,
    template_copy,
)
from .kind import Kind

MODULES = (
    health,
    clone,
    document,
    domains,
    monitor,
    life,
    leave,
    snapshot_copy,
    module_work,
    owner_work,
    backup_work,
    backup_forget,
    restore_work,
    move_work,
    archive_work,
    export_work,
    pool_work,
    reconcile,
    template,
    template_archive,
    template_copy,
)
KINDS: dict[str, Kind] = {kind.name: kind for module in MODULES for kind in module.KINDS}
