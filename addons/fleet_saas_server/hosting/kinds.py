"""Every kind of operation this server can be asked for."""

from __future__ import annotations

from .kind import Kind

KINDS: dict[str, Kind] = {}


def _collect() -> None:
    from . import health

    for module in (health,):
        for kind in module.KINDS:
            KINDS[kind.name] = kind


_collect()
