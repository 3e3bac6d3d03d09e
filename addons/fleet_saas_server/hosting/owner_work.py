"""What an operator changes inside a hosted database: system parameters, its administrator."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from cryptography.fernet import Fernet

from . import odoo_child, parameters, place, signals
from .contract import Argument, flag, matching
from .engine import Context, Plan, Step
from .errors import HostingError, sentences
from .kind import Kind
from .personalise import PATTERNS, reset_administrator

LINK_KEY = "link_key"
LINK = """
admin = env.ref("base.user_admin")
if "signup_type" in admin.partner_id._fields:
    admin.partner_id.signup_prepare(signup_type="reset")
    RESULT = admin.partner_id._get_signup_url_for_action()[admin.partner_id.id]
    env.cr.commit()
"""

sentences(
    no_reset_link="%(name)s lacks the module auth_signup, so there is no link to choose a "
    "password. Give the administrator a password instead.",
)


def _set_parameters(context: Context) -> dict[str, Any]:
    """Write the parameters in one transaction; running processes read them anew."""
    physical = place.locate(context)
    with closing(context.host.cluster.connect(physical, autocommit=False)) as opened:
        parameters.set_parameters(opened, context.request["values"])
        with opened, opened.cursor() as cr:
            signals.raise_above(cr)
    return {"keys": sorted(context.request["values"])}


def _set_administrator(context: Context) -> dict[str, Any]:
    """Write login and password; without a new password the old one stays, or becomes unusable."""
    physical = place.locate(context)
    with closing(context.host.cluster.connect(physical, autocommit=False)) as opened:
        hashed = context.secrets.get("password_hash")
        if not hashed and not context.request["link"]:
            hashed = _present_hash(opened)
        reset_administrator(opened, login=context.request["login"], hashed=hashed)
        with opened, opened.cursor() as cr:
            signals.raise_above(cr)
    return {"physical": physical}


def _present_hash(opened: Any) -> str | None:
    with opened, opened.cursor() as cr:
        cr.execute(
            "SELECT password FROM res_users WHERE id = (SELECT res_id FROM ir_model_data "
            "WHERE module = 'base' AND name = 'user_admin' AND model = 'res.users')"
        )
        row = cr.fetchone()
    return row[0] if row else None


def _make_link(context: Context) -> dict[str, Any]:
    """Make the link by which the administrator chooses a password; it leaves here encrypted."""
    if not context.request["link"]:
        return {}
    link = odoo_child.script(
        context.host,
        place.locate(context),
        LINK,
        beat=context.check,
        remaining_s=context.seconds_left,
    )
    if not link:
        raise HostingError("no_reset_link", name=context.request["target"])
    return {"link": Fernet(context.secrets[LINK_KEY]).encrypt(link.encode()).decode()}


def _parameters_plan(_request: Mapping[str, Any]) -> Plan:
    return Plan((Step("write", _set_parameters),), deadline_s=120)


def _administrator_plan(_request: Mapping[str, Any]) -> Plan:
    return Plan((Step("write", _set_administrator), Step("link", _make_link)), deadline_s=300)


def _some_parameters(value: Any) -> dict[str, str | None]:
    try:
        checked = parameters.check_parameters(value)
    except HostingError as error:
        raise ValueError(str(error).rstrip(".")) from error
    if not 0 < len(checked) <= 50:
        raise ValueError("1 to 50 parameters are expected")
    return checked


KINDS = (
    Kind("parameters", _parameters_plan, {"values": Argument(_some_parameters, required=True)}),
    Kind(
        "administrator",
        _administrator_plan,
        {
            "login": Argument(matching(PATTERNS["login"], "a login"), default=None),
            "password_hash": Argument(
                matching(PATTERNS["password_hash"], "a hash as Odoo stores it")
            ),
            "link": Argument(flag, default=False),
            "link_key": Argument(matching(r"[A-Za-z0-9_-]{43}=", "a key of Fernet")),
        },
        slow=True,
    ),
)
