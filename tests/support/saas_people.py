"""People of a portal in fleet tests: a customer, and a session that is logged in as somebody."""

from __future__ import annotations

import requests

from .saas_fleet import SaasFleet


def browser(saas: SaasFleet, login: str) -> requests.Session:
    """Return a session of the portal for a user whose password is the login."""
    found = requests.Session()
    database = saas.portal.database("portal")
    asked = {"params": {"db": database, "login": login, "password": login}}
    url = f"{saas.portal.url('portal')}/web/session/authenticate"
    assert found.post(url, json=asked, timeout=60).json()["result"]["uid"]
    return found


def make_customer(saas: SaasFleet, login: str) -> int:
    """Make a portal user whose password is the login; return the partner."""
    [[group]] = saas.rows(
        "SELECT res_id FROM ir_model_data WHERE module = 'base' AND name = 'group_portal'"
    )
    values = {"name": login, "login": login, "email": login, "password": login}
    values["group_ids"] = [[6, 0, [group]]]
    [user] = saas.call("res.users", "create", vals_list=[values])
    return saas.read("res.users", user, "partner_id")["partner_id"][0]
