"""A visitor signs up at a portal with a hosting server, all real processes, and is in at the end."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from lxml import html
from support.odoo_fleet import resolve_localhost_names
from support.saas_fleet import SaasFleet

EMAIL = "ann@acme.example"
FORM = {"company_name": "Acme", "contact_name": "Ann", "email": EMAIL, "name": "annas"}


@pytest.fixture(scope="module")
def saas() -> Iterator[SaasFleet]:
    with SaasFleet("saas_signup", source="hosted") as saas:
        resolve_localhost_names()
        # The mail is read where it waits: there is no mail server to send it to.
        saas.rows(
            "UPDATE ir_cron SET active = false WHERE id = (SELECT res_id FROM ir_model_data WHERE "
            "module = 'mail' AND name = 'ir_cron_mail_scheduler_action') RETURNING id"
        )
        plan = {"name": "Tiny", "code": "tiny", "template_id": saas.template}
        saas.call("saas.plan", "create", vals_list=[plan])
        yield saas


def post(saas: SaasFleet, visitor: requests.Session, page: str, **values: str) -> requests.Response:
    """Fill in the sign-up's form on ``page`` and send it, as a browser does."""
    found = html.fromstring(visitor.get(saas.portal.url("portal") + page, timeout=60).text)
    [form] = [each for each in found.forms if each.action.startswith("/start/")]
    fields = {**dict(form.form_values()), **values}
    return visitor.post(saas.portal.url("portal") + form.action, fields, timeout=60)


def status(saas: SaasFleet, visitor: requests.Session) -> dict[str, Any]:
    url = f"{saas.portal.url('portal')}/start/status"
    return visitor.post(url, json={"params": {}}, timeout=60).json()["result"]


def test_a_visitor_signs_up_and_is_in_the_new_database_as_its_administrator(
    saas: SaasFleet,
) -> None:
    visitor = requests.Session()
    assert "Look into your mail" in post(saas, visitor, "/start/tiny", **FORM).text
    assert saas.rows("SELECT id FROM saas_instance") == []
    [(body,)] = saas.rows("SELECT body_html FROM mail_mail WHERE email_to = %s", EMAIL)
    link = re.search(r"/start/confirm/[\w-]+", body).group()
    assert "being made" in post(saas, visitor, link).text
    end = time.monotonic() + 120
    while not (found := status(saas, visitor))["url"]:
        assert found["state"] in ("creating", "done"), found
        assert time.monotonic() < end, found
        time.sleep(0.2)
    page = html.fromstring(visitor.get(saas.portal.url("portal") + found["url"], timeout=60).text)
    [form] = page.forms
    inside = requests.Session()
    answer = inside.post(form.action, dict(form.form_values()), timeout=60)
    assert "/odoo" in answer.url, answer.url
    url = form.action.removesuffix("/fleet/sso") + "/web/session/get_session_info"
    who = inside.post(url, json={"params": {}}, timeout=60).json()["result"]
    assert (who["username"], who["is_admin"]) == (EMAIL, True)
