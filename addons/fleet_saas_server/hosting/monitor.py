"""The API key by which another machine reads the figures of a hosted database.

The key itself never comes here: whoever asks for one makes it and sends its hash, which is stored
as Odoo stores its own keys (``res.users.apikeys`` in odoo/addons/base/models/res_users.py). It
belongs to a user of the module ``fleet_saas_client`` who may read the figures and the list of
users, and nothing else; a database without that module gets an internal user without a password.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from psycopg2.extensions import cursor

from . import odoo_child, place, signals
from .contract import Argument, matching
from .engine import Context, Plan, Step
from .failpoints import failpoint
from .kind import Kind

NAME = "Monitoring by the provider"
SCOPE = "rpc"
# The user of the module, and the one that is made where the module is missing.
CLIENT, OWN = ("fleet_saas_client", "user_monitor"), ("__fleet__", "user_monitor")
LOGIN = "__fleet_monitor__"
INDEX = r"[0-9a-f]{8}"  # Odoo 19's INDEX_SIZE: the first letters of the key, by which it is found
HASH = r"\$pbkdf2-sha512\$[0-9]{1,7}\$[./A-Za-z0-9]{8,64}\$[./A-Za-z0-9]{86}"
USER = """
groups = env.ref("base.group_user")
readers = env.ref("account.group_account_readonly", raise_if_not_found=False)
user = env["res.users"].with_context(no_reset_password=True, active_test=False).search(
    [("login", "=", ARGUMENTS["login"])]
)
if not user:
    user = user.create({
        "name": ARGUMENTS["name"],
        "login": ARGUMENTS["login"],
        "group_ids": [(6, 0, (groups | readers if readers else groups).ids)],
    })
module, name = ARGUMENTS["xmlid"]
if not env.ref(f"{module}.{name}", raise_if_not_found=False):
    env["ir.model.data"].create({
        "module": module, "name": name, "model": "res.users", "res_id": user.id, "noupdate": True,
    })
env.cr.commit()
RESULT = user.id
"""


def check_key(value: Any) -> dict[str, str]:
    """Return the beginning and the hash of a key; raise ``ValueError``.

    :param value: ``{"index", "hash"}``
    """
    if not isinstance(value, dict) or value.keys() != {"index", "hash"}:
        raise ValueError("an object with index and hash is expected")
    return {
        "index": matching(INDEX, "index with 8 hexadecimal digits")(value["index"]),
        "hash": matching(HASH, "hash as Odoo stores a key")(value["hash"]),
    }


def put(cr: cursor, key: Mapping[str, str]) -> str:
    """Make ``key`` the only one of the monitoring user; return the user's login, "" without one."""
    for xmlid in (CLIENT, OWN):
        if found := _find(cr, xmlid):
            break
    else:
        return ""
    user, login = found
    forget(cr)
    cr.execute("UPDATE res_users SET active = true, password = NULL WHERE id = %s", [user])
    cr.execute(
        "INSERT INTO res_users_apikeys (name, user_id, scope, index, key) "
        "VALUES (%s, %s, %s, %s, %s)",
        [NAME, user, SCOPE, key["index"], key["hash"]],
    )
    return login


def forget(cr: cursor) -> None:
    """Take the key away, from whichever user has it; nothing where there is no Odoo."""
    cr.execute("SELECT to_regclass('res_users_apikeys') IS NOT NULL")
    if not cr.fetchone()[0]:
        return
    users = [found[0] for xmlid in (CLIENT, OWN) if (found := _find(cr, xmlid))]
    cr.execute("DELETE FROM res_users_apikeys WHERE user_id = ANY(%s)", [users])
    # The one who stood in for the module's user is needed no more once there is that one.
    cr.execute("UPDATE res_users SET active = false WHERE id = ANY(%s)", [users])


def _find(cr: cursor, xmlid: tuple[str, str]) -> tuple[int, str] | None:
    cr.execute(
        "SELECT u.id, u.login FROM ir_model_data d JOIN res_users u ON u.id = d.res_id "
        "WHERE d.module = %s AND d.name = %s AND d.model = 'res.users'",
        xmlid,
    )
    return cr.fetchone()


# --- the operation


def _write(context: Context) -> dict[str, Any]:
    """Write the key; running processes read the user anew."""
    physical = place.locate(context)
    login = _put(context, physical)
    if not login:
        odoo_child.script(
            context.host,
            physical,
            USER,
            {"login": LOGIN, "name": NAME, "xmlid": list(OWN)},
            beat=context.check,
            remaining_s=context.seconds_left,
        )
        failpoint("monitor.user_made")
        login = _put(context, physical)
    return {"login": login}


def _put(context: Context, physical: str) -> str:
    with closing(context.host.cluster.connect(physical, autocommit=False)) as opened:
        with opened, opened.cursor() as cr:
            login = put(cr, context.request["key"])
            if login:
                signals.raise_above(cr)
            failpoint("monitor.written")
    return login


def _plan(_request: Mapping[str, Any]) -> Plan:
    return Plan((Step("write", _write),), deadline_s=300)


KEY = Argument(check_key)
KINDS = (Kind("monitor", _plan, {"key": Argument(check_key, required=True)}, slow=True),)
