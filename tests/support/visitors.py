"""People at a SaaS portal, who ask over HTTP as their browsers do.

ann = Visitor(saas.portal.url("portal"))
ann.send("/start/tiny", "/start/", email="ann@acme.example", name="acme")
"""

from __future__ import annotations

import email
import email.policy
import re
import time
from collections.abc import Callable
from typing import Any

import requests
from lxml import html

from .odoo_fleet import resolve_localhost_names
from .saas_fleet import SaasFleet
from .sinks import SmtpSink


class Visitor:
    """A browser without scripts at one address; it keeps its cookies."""

    def __init__(self, url: str) -> None:
        resolve_localhost_names()
        self.url = url
        self.session = requests.Session()

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.session.get(self.url + path, **({"timeout": 60} | options))

    def send(self, page: str, action: str, **values: str) -> requests.Response:
        """Fill in the form on ``page`` whose action begins with ``action``, and send it."""
        found = html.fromstring(self.get(page).text)
        form = next(each for each in found.forms if (each.action or "").startswith(action))
        fields = {**dict(form.form_values()), **values}
        return self.session.post(self.url + form.action, fields, timeout=60)

    def rpc(self, path: str, **params: Any) -> Any:
        """Call a JSON-RPC route and return its result, or raise with its error."""
        answer = self.session.post(self.url + path, json={"params": params}, timeout=60).json()
        assert "error" not in answer, answer
        return answer["result"]


def sign_up(saas: SaasFleet, sink: SmtpSink, plan: str, name: str) -> tuple[Visitor, int]:
    """Order a database as a visitor ``<name>@example.com``; return the visitor and the instance."""
    visitor, address = Visitor(saas.portal.url("portal")), f"{name}@example.com"
    answer = visitor.send(
        f"/start/{plan}", "/start/", company_name=name.title(), contact_name="Ann",
        email=address, name=name,
    )  # fmt: skip
    assert "Look into your mail" in answer.text, answer.text
    [proof] = wait_for(lambda: mails(sink, address))
    link = re.search(r"/start/confirm/[\w-]+", proof["body"]).group()
    assert "being made" in visitor.send(link, "/start/confirm/").text
    [[instance]] = saas.rows("SELECT id FROM saas_instance WHERE name = %s", name)
    saas.wait_state(instance, "active")
    wait_for(lambda: saas.read("saas.instance", instance, "uuid")["uuid"])
    return visitor, instance


def send_to(saas: SaasFleet, sink: SmtpSink) -> None:
    """Have the portal send its mails, from an address, to a sink."""
    server = {"name": "Sink", "smtp_host": "localhost", "smtp_port": sink.port}
    saas.call("ir.mail_server", "create", vals_list=[server | {"smtp_encryption": "none"}])
    [[company]] = saas.rows("SELECT min(id) FROM res_company")
    saas.call("res.company", "write", ids=[company], vals={"email": "host@example.com"})


def mails(sink: SmtpSink, address: str) -> list[dict[str, str]]:
    """Return subject and text of the mails that came for an address, the oldest first."""
    found = []
    for text in list(sink.mails):
        mail = email.message_from_string(text, policy=email.policy.default)
        if address in (mail["to"] or ""):
            body = mail.get_body(("html", "plain"))
            found.append({"subject": mail["subject"], "body": body.get_content() if body else ""})
    return found


def wait_for(what: Callable[[], Any], seconds: float = 60) -> Any:
    """Return what ``what()`` returns as soon as it is something."""
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"it did not come within {seconds} s"
        time.sleep(0.2)
    return found
