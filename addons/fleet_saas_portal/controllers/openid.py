import json
import logging
from urllib.parse import urlencode, urlsplit

from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6750 import InvalidTokenError

from odoo.exceptions import UserError
from odoo.http import Controller, request, route

from ..openid import ALGORITHM
from .openid_provider import AUTH_METHODS, PRIVATE, Asked, Provider, choose_step

_logger = logging.getLogger(__name__)

PAGE = {"type": "http", "website": True, "sitemap": False, "multilang": False}
# What programs ask; they have no session and get none.
PROGRAM = {"type": "http", "auth": "public", "save_session": False, "sitemap": False}
# Nobody shall press Allow in somebody else's frame.
HEADERS = {
    **PRIVATE,
    "X-Frame-Options": "DENY",
    "Content-Security-Policy": "frame-ancestors 'none'",
}
# What stays in the form between the question and the answer.
KEPT = ("response_type", "client_id", "redirect_uri", "scope", "state", "nonce")
KEPT += ("code_challenge", "code_challenge_method")


class OpenId(Controller):
    """Other systems log people in by this portal: OpenID Connect, the authorization code flow."""

    # --- people

    @route("/openid/authorize", auth="public", methods=["GET"], **PAGE)
    def authorize(self, **_params):
        """Send a person back to the other system with a code, after login and consent."""
        provider, user = Provider(request.env), request.env.user
        is_logged_in = not user._is_public()
        try:
            asked = self._asked(provider, request.httprequest.args)
            grant = provider.get_consent_grant(asked, user if is_logged_in else None)
        except OAuth2Error as error:
            return self._refuse(provider, error)
        try:
            step = choose_step(asked.payload.data, grant.client.record, is_logged_in)
        except OAuth2Error as error:
            error.redirect_uri, error.state = grant.redirect_uri, asked.payload.state
            return self._refuse(provider, error)
        if step == "login":
            return self._log_in(asked)
        if step == "consent":
            return self._ask_person(grant)
        return provider.create_authorization_response(asked, user, grant=grant)

    @route("/openid/answer", auth="user", methods=["POST"], **PAGE)
    def answer(self, answer="", **_params):
        """Take the person's answer: ``allow``, or anything else for no."""
        provider, user = Provider(request.env), request.env.user
        try:
            asked = self._asked(provider, request.httprequest.form)
            grant = provider.get_consent_grant(asked, user)
        except OAuth2Error as error:
            return self._refuse(provider, error)
        allowed = user if answer == "allow" else None
        return provider.create_authorization_response(asked, allowed, grant=grant)

    def _refuse(self, provider, error):
        """Tell the other system, when the address is its own; else the person."""
        if error.redirect_uri:
            return provider.handle_error_response(None, error)
        values = {"code": error.error, "no_breadcrumbs": True}
        page = "fleet_saas_portal.openid_refused"
        return request.render(page, values, status=400, headers=list(HEADERS.items()))

    def _log_in(self, asked):
        """Lead to the login page, and back here."""
        # Who comes back has just logged in; the ID token says when.
        data = {**asked.payload.data, "max_age": ""}
        words = data.get("prompt", "").split()
        data["prompt"] = " ".join(word for word in words if word != "login")
        data = {name: text for name, text in data.items() if text}
        back = f"/openid/authorize?{urlencode(data)}"
        return request.redirect_query("/web/login", {"redirect": back})

    def _ask_person(self, grant):
        data, client = grant.request.payload.data, grant.client
        scopes = client.get_allowed_scope(data["scope"]).split()
        values = {
            "client": client.record,
            "host": urlsplit(grant.redirect_uri).netloc,
            "claims": request.env.user.sudo()._get_openid_claims(scopes),
            "scopes": scopes,
            "kept": {name: data[name] for name in KEPT if name in data},
            "no_breadcrumbs": True,
        }
        page = "fleet_saas_portal.openid_consent"
        return request.render(page, values, headers=list(HEADERS.items()))

    # --- programs

    @route("/.well-known/openid-configuration", methods=["GET"], **PROGRAM)
    def discover(self, **_params):
        """Say where everything is (OpenID Connect Discovery 1.0, 3)."""
        issuer = request.env["saas.openid.client"]._get_issuer()
        return self._json(
            {
                "issuer": issuer,
                "authorization_endpoint": f"{issuer}/openid/authorize",
                "token_endpoint": f"{issuer}/openid/token",
                "userinfo_endpoint": f"{issuer}/openid/userinfo",
                "jwks_uri": f"{issuer}/openid/keys",
                "scopes_supported": ["openid", "profile", "email", "databases"],
                "response_types_supported": ["code"],
                "response_modes_supported": ["query"],
                "grant_types_supported": ["authorization_code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": [ALGORITHM],
                "token_endpoint_auth_methods_supported": AUTH_METHODS,
                "code_challenge_methods_supported": ["S256"],
                "request_uri_parameter_supported": False,
                "authorization_response_iss_parameter_supported": True,
            }
        )

    @route("/openid/keys", methods=["GET"], **PROGRAM)
    def keys(self, **_params):
        """Give the keys that ID tokens are checked with."""
        return self._json({"keys": request.env["saas.openid.key"]._get_accepted()})

    @route("/openid/token", methods=["POST"], csrf=False, **PROGRAM)
    def token(self, **_params):
        """Change a code into an ID token and an access token."""
        address = request.httprequest.remote_addr
        if request.env["saas.signup.limit"].sudo()._take("openid", address):
            return self._json({"error": "temporarily_unavailable"}, 429, {"Retry-After": "60"})
        provider = Provider(request.env)
        try:
            asked = self._asked(provider, request.httprequest.form)
        except OAuth2Error as error:
            return provider.handle_error_response(None, error)
        try:
            with request.env.cr.savepoint():
                return provider.create_token_response(asked)
        except UserError as error:
            # The code stays good: nothing is wrong with it.
            _logger.error("There is no ID token: %s", error)
            return self._json({"error": "server_error"}, 500, PRIVATE)

    @route("/openid/userinfo", methods=["GET", "POST"], csrf=False, **PROGRAM)
    def userinfo(self, **_params):
        """Tell who has logged in, to who has the access token (RFC 6750)."""
        kind, _space, token = request.httprequest.headers.get("Authorization", "").partition(" ")
        login = request.env["saas.openid.login"]._find_token(token.strip())
        if kind.lower() != "bearer" or not login:
            return Provider(request.env).handle_error_response(None, InvalidTokenError())
        scopes = login.scope.split()
        claims = login.user_id._get_openid_claims(scopes)
        if "databases" in scopes:
            claims["databases"] = login.user_id._get_openid_databases()
        return self._json(claims, headers=PRIVATE)

    # --- helpers

    def _asked(self, provider, values):
        """Return the request; its address is the one under which this portal is known."""
        asked = request.httprequest
        return Asked(asked.method, f"{provider.issuer}{asked.path}", asked.headers, values)

    def _json(self, values, status=200, headers=None):
        headers = {"Content-Type": "application/json", **(headers or {})}
        return request.make_response(json.dumps(values), list(headers.items()), status=status)
