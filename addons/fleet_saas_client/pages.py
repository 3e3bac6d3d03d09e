"""Pages that need nothing but themselves: no view of the database, which its administrator edits."""

import json
from pathlib import Path
from string import Template

import werkzeug.exceptions
from markupsafe import Markup, escape

from odoo.http import Response, request

PAGE = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
JSON_PATHS = ("/json/", "/jsonrpc", "/web/dataset/", "/web/webclient/", "/fleet/notices")
SUSPENDED = "fleet.suspended"


def get_lang():
    """Return the visitor's language where this database has it, else English."""
    codes = [code for code, _name in request.env["res.lang"].sudo().get_installed()]
    wanted = request.best_lang or "en_US"
    related = [code for code in codes if code.partition("_")[0] == wanted.partition("_")[0]]
    return wanted if wanted in codes else next(iter(related), "en_US")


def abort_suspended(client, standing):
    """End the request with 503 and where to go: a page for people, JSON for programs.

    :param client: `saas.client`, as superuser
    """
    client = client.with_context(lang=get_lang())
    if _wants_json():
        answer = _as_json(client._get_suspended_text())
    else:
        links = [(client._get_upgrade_link(standing), client.env._("Go to the portal"))]
        title, text = client._get_suspended_title(), client._get_suspended_advice()
        answer = _page(title, text, links, 503)
    # With a response of its own, no dispatcher makes another error of it.
    werkzeug.exceptions.abort(answer)


def refused(client, text):
    """Return the page of who brought a ticket that does not let him in.

    :param client: `saas.client`, as superuser and in the visitor's language
    """
    portal = client._get_sso_portal()
    links = [(portal.url if portal else "", client.env._("Go to the portal"))]
    links.append(("/web/login", client.env._("Log in with a password")))
    return _page(client.env._("You could not be logged in"), text, links, 403)


def _page(title, text, links, status):
    body = PAGE.substitute(
        language=get_lang().partition("_")[0],
        title=escape(title),
        text=escape(text),
        links=Markup("").join(Markup('<a href="%s">%s</a>') % link for link in links if link[0]),
    )
    return _answer(body, "text/html", status, [("Content-Security-Policy", POLICY)])


def _answer(body, mimetype, status, headers=()):
    headers = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff"), *headers]
    return Response(body, status=status, mimetype=mimetype, headers=headers)


def _wants_json():
    call = request.httprequest
    return call.mimetype == "application/json" or call.path.startswith(JSON_PATHS)


def _as_json(text):
    """Return the error as the caller expects it: JSON-2's own form, or JSON-RPC's."""
    error = {"name": SUSPENDED, "message": text, "arguments": [text], "context": {}, "debug": ""}
    if not request.httprequest.path.startswith("/json/"):
        error = {
            "jsonrpc": "2.0",
            "id": None,
            "error": {"code": 503, "message": text, "data": error},
        }
    return _answer(json.dumps(error), "application/json", 503)
