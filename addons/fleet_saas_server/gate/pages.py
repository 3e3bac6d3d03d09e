"""What visitors and programs are told when a host name does not lead into a database.

Pages need nothing but themselves and say nothing of the server; the operator's message is the
only text that is not from here. Programs get the same as JSON: in JSON-2's form of an error
(``/json/2``), else in JSON-RPC's.
"""

import json
from pathlib import Path
from string import Template

from markupsafe import escape
from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header
from werkzeug.wrappers import Response

from ..hosting.routes import MAINTENANCE, PAUSED, SUSPENDED, Route

PAGE = Template(Path(__file__).with_name("page.html").read_text(encoding="utf-8"))
UNKNOWN, MISSING = "unknown", "missing"
STATUS = {UNKNOWN: 404, MISSING: 404, PAUSED: 503, SUSPENDED: 503, MAINTENANCE: 503}
RELOAD_S = {PAUSED: 5, MAINTENANCE: 30}
COLOURS = {PAUSED: "#2563eb", MAINTENANCE: "#b45309", SUSPENDED: "#b91c1c"}
JSON_PATHS = ("/json/", "/jsonrpc", "/web/dataset/")
TEXTS = {
    "en": {
        UNKNOWN: ("Nothing lives here", "There is no database at this address. Check its spelling."),
        MISSING: ("Page not found", "This page does not exist at this address."),
        PAUSED: ("Just a moment", "We are taking a copy of your database. This page reloads itself."),
        SUSPENDED: ("This database is suspended", "Your data is safe. Contact your provider to open it again."),
        MAINTENANCE: ("Under maintenance", "We are working on your database. This page reloads itself."),
    },
    "fr": {
        UNKNOWN: ("Il n’y a rien ici", "Aucune base de données ne répond à cette adresse. Vérifiez son orthographe."),
        MISSING: ("Page introuvable", "Cette page n’existe pas à cette adresse."),
        PAUSED: ("Un petit instant", "Nous copions votre base de données. Cette page se recharge toute seule."),
        SUSPENDED: ("Cette base de données est suspendue", "Vos données sont en sécurité. Contactez votre fournisseur pour la rouvrir."),
        MAINTENANCE: ("En maintenance", "Nous travaillons sur votre base de données. Cette page se recharge toute seule."),
    },
}  # fmt: skip


def closed(environ: dict, route: Route | None) -> Response:
    """Return the answer for a host name that is unknown or whose database is not open."""
    if route is None:
        return _answer(environ, UNKNOWN)
    return _answer(environ, route.state, route.message)


def missing(environ: dict) -> Response:
    """Return the answer for a path, or a database, that this host name does not have."""
    return _answer(environ, MISSING)


def unavailable(environ: dict) -> Response:
    """Return the answer while nobody knows which host names there are."""
    return _answer(environ, MAINTENANCE)


def plain(text: str, mimetype: str, status: int) -> Response:
    """Return an answer that no browser or proxy keeps."""
    response = Response(text, status=status, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _answer(environ: dict, kind: str, message: str = "") -> Response:
    language = _language(environ)
    title, text = TEXTS[language][kind]
    # What is not there is HTML for programs too, as Odoo answers for a database it does not serve.
    if _wants_json(environ) and STATUS[kind] != 404:
        body = json.dumps(_error(environ, kind, message or text))
        response = plain(body, "application/json", STATUS[kind])
    else:
        response = plain(_page(kind, language, title, text, message), "text/html", STATUS[kind])
        policy = (
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
        )
        response.headers["Content-Security-Policy"] = policy
    response.headers["Vary"] = "Accept-Language"
    if kind in RELOAD_S:
        response.headers["Retry-After"] = str(RELOAD_S[kind])
    return response


def _page(kind: str, language: str, title: str, text: str, message: str) -> str:
    reload_s = RELOAD_S.get(kind)
    return PAGE.substitute(
        language=language,
        kind=kind,
        title=escape(title),
        text=escape(text),
        colour=COLOURS.get(kind, "#475569"),
        message=f'<p class="message">{escape(message)}</p>' if message else "",
        reload=f'<meta http-equiv="refresh" content="{reload_s}">' if reload_s else "",
        progress='<div class="progress"></div>' if reload_s else "",
    )


def _error(environ: dict, kind: str, text: str) -> dict:
    error = {"name": f"fleet.{kind}", "message": text, "arguments": [], "context": {}, "debug": ""}
    if environ.get("PATH_INFO", "").startswith("/json/"):
        return error
    return {
        "jsonrpc": "2.0",
        "id": None,
        "error": {"code": STATUS[kind], "message": text, "data": error},
    }


def _language(environ: dict) -> str:
    accepted = parse_accept_header(environ.get("HTTP_ACCEPT_LANGUAGE"), LanguageAccept)
    return accepted.best_match(TEXTS, default="en")


def _wants_json(environ: dict) -> bool:
    content_type = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
    path = environ.get("PATH_INFO", "")
    return content_type == "application/json" or path.startswith(JSON_PATHS)
