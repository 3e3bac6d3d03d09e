"""What the gate replaces in Odoo 19, and the proof that Odoo still looks the way this expects."""

import inspect
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import odoo.http
import odoo.modules.registry
import odoo.service.db
import odoo.service.server
from odoo.exceptions import AccessDenied
from odoo.tools import config

import odoo.addons.base.models.ir_asset
import odoo.addons.base.models.ir_cron

from ..hosting.capacity import Processes, write_processes
from . import MODULE, tenant_code
from .application import gated
from .guard import Guard

_logger = logging.getLogger(__name__)
_installed: list[Guard] = []


class Mismatch(Exception):
    """This build of Odoo is not the one the gate was written for."""


def install() -> Guard:
    """Put the gate into this process, once; return it.

    :raises Mismatch: before anything was replaced
    """
    if _installed:
        return _installed[0]
    work_dir = Path(config["data_dir"]) / "fleet"
    guard = Guard(work_dir)
    replacements = [*_host_map(guard), *_databases(guard), *_management(), *_assets()]
    for owner, name, new in replacements:
        _check(owner, name, new)
    if not tenant_code.close():
        raise Mismatch("safe_eval does not refuse the names that it is told to")
    for owner, name, new in replacements:
        _replace(owner, name, new)
    guard.routes.look()
    if guard.routes.error:
        _logger.error("%s Until then no host name opens a database.", guard.routes.error)
    if config["http_enable"] and not config["stop_after_init"]:
        write_processes(work_dir, _processes())
    _installed.append(guard)
    _logger.info("The gate is in: %s routes in %s", len(guard.routes.table), guard.routes.path)
    return guard


def _processes() -> Processes:
    """Return what the hosting server has to know to count connections."""
    return Processes(
        workers=config["workers"],
        max_cron_threads=config["max_cron_threads"],
        db_maxconn=config["db_maxconn"],
        db_maxconn_gevent=config["db_maxconn_gevent"] or config["db_maxconn"],
    )


def _host_map(guard: Guard) -> list[tuple[Any, str, Any]]:
    """The host name of a request selects the database, instead of dbfilter and db_name."""

    def db_filter(dbs, host=None):
        if host is None:
            host = odoo.http.request.httprequest.environ.get("HTTP_HOST", "")
        allowed = guard.database(host)
        return [name for name in dbs if name == allowed]

    def db_list(force=False, host=None):
        return db_filter(odoo.service.db.list_dbs(force), host)

    return [
        (odoo.http, "db_filter", db_filter),
        (odoo.http, "db_list", db_list),
        (odoo.http.Application, "__call__", gated(guard, odoo.http.Application.__call__)),
    ]


def _databases(guard: Guard) -> list[tuple[Any, str, Any]]:
    """Nothing but a routed, active database is listed, opened, or has its crons run."""
    registry_class = odoo.modules.registry.Registry
    cron_class = odoo.addons.base.models.ir_cron.IrCron
    open_registry, process_jobs = registry_class.__new__, cron_class._process_jobs

    def list_dbs(force=False):
        if not config["list_db"] and not force:
            raise AccessDenied()
        return sorted(guard.routes.active_databases())

    def new_registry(cls, db_name):
        # XML-RPC, JSON-RPC, OAuth and others open a database by a name that the caller chose.
        guard.check_opening(db_name)
        return open_registry(cls, db_name)

    def _process_jobs(db_name):
        # A cron worker keeps its list of databases for a minute, a suspension counts at once.
        if db_name in guard.routes.active_databases():
            process_jobs(db_name)

    return [
        (odoo.service.db, "list_dbs", list_dbs),
        (registry_class, "__new__", staticmethod(new_registry)),
        (cron_class, "_process_jobs", staticmethod(_process_jobs)),
    ]


def _management() -> list[tuple[Any, str, Any]]:
    """Creating, dumping, restoring and dropping by HTTP is closed, whatever the master password."""

    def dispatch(method, params):
        raise AccessDenied()

    def check_super(passwd):
        raise AccessDenied()

    return [
        (odoo.service.db, "dispatch", dispatch),
        (odoo.service.db, "check_super", check_super),
    ]


def _assets() -> list[tuple[Any, str, Any]]:
    """Pages load nothing of this addon, although Odoo adds what every server-wide module has.

    Their templates were built without it: each new database would make all its bundles anew.
    """
    asset_class = odoo.addons.base.models.ir_asset.IrAsset
    installed_addons = asset_class._get_installed_addons_list

    def _get_installed_addons_list(self):
        return installed_addons(self) - {MODULE}

    return [(asset_class, "_get_installed_addons_list", _get_installed_addons_list)]


def _check(owner: Any, name: str, new: Any) -> None:
    """Compare the names of the parameters with those of what is there, defined where expected."""
    original = vars(owner).get(name)
    found = _parameters(original) if original is not None else None
    if found != _parameters(new):
        where = f"{getattr(owner, '__module__', '') or ''} {owner.__name__}.{name}".strip()
        raise Mismatch(f"{where} takes {found} in this Odoo, expected {_parameters(new)}")


def _parameters(function: Any) -> list[str] | None:
    function = getattr(function, "__func__", function)
    if not isinstance(function, Callable):
        return None
    return list(inspect.signature(function).parameters)


def _replace(owner: Any, name: str, new: Any) -> None:
    """Replace a function, also under the names by which loaded modules imported it.

    ``odoo.service.server``, which chooses the databases of the crons, has its own ``list_dbs``.
    """
    original = getattr(owner, name)
    setattr(owner, name, new)
    if inspect.isclass(owner):
        return
    for module in list(sys.modules.values()):
        for alias, value in list(getattr(module, "__dict__", {}).items()):
            if value is original:
                setattr(module, alias, new)
