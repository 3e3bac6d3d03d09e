"""Every kind of operation this server can be asked for."""

from __future__ import annotations

from . import backup_work, clone, health, restore_work
from .kind import Kind

MODULES = (health, clone, backup_work, restore_work)
KINDS: dict[str, Kind] = {kind.name: kind for module in MODULES for kind in module.KINDS}
