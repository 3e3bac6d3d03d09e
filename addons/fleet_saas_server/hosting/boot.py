"""Prove that a hidden database is a working Odoo: boot its registry, open its login page."""

from __future__ import annotations

from typing import Any

from . import http_check, odoo_child
from .host import Host

START_S = 180.0


def login_page(host: Host, database: str, *, seconds: float) -> dict[str, Any]:
    """Start Odoo on one database, on the loopback interface, without scheduled actions, and ask
    for its login page with every asset that it names.

    :param seconds: how long it may take in all
    :returns: as `http_check.first_page`
    """
    with odoo_child.served(host, database, start_s=min(seconds, START_S)) as url:
        return http_check.first_page(url, "localhost", min(seconds, START_S), assets=True)
