"""The provider of OpenID Connect: Authlib decides, the records of this portal answer.

Only the authorization code flow (OpenID Connect Core 1.0, 3.1), PKCE by S256 only (RFC 7636), and
``iss`` beside every code (RFC 9207). Written for Authlib 1.6 and what follows it; the ID token is
made by PyJWT, for later versions of Authlib bring along a library that Odoo's cryptography is too
old for.
"""

import json
import re
import time
from datetime import timedelta

from authlib.common.urls import add_params_to_uri
from authlib.oauth2.rfc6749 import (
    AuthorizationCodeMixin,
    AuthorizationServer,
    ClientMixin,
    InvalidClientError,
    InvalidRequestError,
    InvalidScopeError,
    OAuth2Payload,
    OAuth2Request,
    scope_to_list,
)
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core.errors import (
    ConsentRequiredError,
    LoginRequiredError,
    RequestNotSupportedError,
    RequestURINotSupportedError,
)

from odoo.http import request

from ..models.saas_openid_login import TOKEN_LIFE
from ..openid import is_plain, is_redirect
from ..signup import new_token

ID_TOKEN_LIFE = timedelta(hours=1)
RESPONSE_TYPE = re.compile(r"[\w ]{0,50}", re.ASCII)
AUTH_METHODS = ["client_secret_basic", "client_secret_post", "none"]
# Answers with secrets in them, or with a way to them, stay nowhere.
PRIVATE = {"Cache-Control": "no-store", "Pragma": "no-cache", "Referrer-Policy": "no-referrer"}


class Asked(OAuth2Request):
    """A request to the provider; only the first value of each name counts.

    :param values: a werkzeug ``MultiDict``, of the address or of the form
    :raises OAuth2Error: a value that cannot be one, or no https
    """

    def __init__(self, method, uri, headers, values):
        super().__init__(method, uri, headers=headers)
        self.payload = Payload(values)
        if not all(is_plain(text) for name in values for text in values.getlist(name)):
            raise InvalidRequestError("A parameter is too long or has control characters.")
        # Authlib puts these two into its sentences, in which not every character may stand.
        if not RESPONSE_TYPE.fullmatch(values.get("response_type", "code")):
            raise InvalidRequestError("The response_type is none.")
        if not is_redirect(values.get("redirect_uri", "https://none")):
            raise InvalidRequestError("The redirect_uri is none.")

    @property
    def args(self):
        return self.payload.data

    @property
    def form(self):
        return self.payload.data


class Payload(OAuth2Payload):
    """The values of a request, as Authlib reads them."""

    def __init__(self, values):
        self._data = values.to_dict()
        self._lists = values.to_dict(flat=False)

    @property
    def data(self):
        return self._data

    @property
    def datalist(self):
        return self._lists


class Client(ClientMixin):
    """A `saas.openid.client` as Authlib asks it; methods of the model itself could be called by RPC."""

    def __init__(self, record):
        self.record = record

    def get_client_id(self):
        return self.record.identifier

    def get_default_redirect_uri(self):
        return None

    def get_allowed_scope(self, scope):
        """Leave out what this client may not ask for, and what nobody knows."""
        asked = scope_to_list(scope) or []
        return " ".join(name for name in self.record._get_scopes() if name in asked)

    def check_redirect_uri(self, redirect_uri):
        return redirect_uri in self.record._get_redirect_uris()

    def check_client_secret(self, client_secret):
        return self.record._check_secret(client_secret)

    def check_endpoint_auth_method(self, method, endpoint):
        return (method == "none") == self.record.is_public

    def check_response_type(self, response_type):
        return response_type == "code"

    def check_grant_type(self, grant_type):
        return grant_type == AuthorizationCodeGrant.GRANT_TYPE


class Code(AuthorizationCodeMixin):
    """A `saas.openid.login` as Authlib asks it."""

    code_challenge_method = "S256"

    def __init__(self, login):
        self.login = login
        self.code_challenge = login.challenge or None

    def get_redirect_uri(self):
        return self.login.redirect_uri

    def get_scope(self):
        return self.login.scope


class Challenge(CodeChallenge):
    """PKCE by S256; who has no secret cannot do without it."""

    SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]

    def validate_code_challenge(self, grant, redirect_uri):
        super().validate_code_challenge(grant, redirect_uri)
        data = grant.request.payload.data
        if not data.get("code_challenge"):
            if grant.request.client.record.is_public:
                raise InvalidRequestError("Missing 'code_challenge'")
        elif data.get("code_challenge_method") != "S256":
            # Without a method it would be "plain" (RFC 7636, 4.3).
            raise InvalidRequestError("Unsupported 'code_challenge_method'")

    def validate_code_verifier(self, grant, result):
        asked = grant.request
        # Somebody has taken the challenge out on the way (RFC 9700, 4.8).
        if asked.form.get("code_verifier") and not asked.authorization_code.code_challenge:
            raise InvalidRequestError("There was no 'code_challenge'.")
        super().validate_code_verifier(grant, result)


class CodeGrant(AuthorizationCodeGrant):
    TOKEN_ENDPOINT_AUTH_METHODS = AUTH_METHODS

    def validate_requested_scope(self):
        if "openid" not in (scope_to_list(self.request.payload.scope) or []):
            raise InvalidScopeError()

    def generate_authorization_code(self):
        return new_token()

    def save_authorization_code(self, code, request):
        data = request.payload.data
        self.server.logins._begin(
            code,
            request.client.record,
            request.user,
            scope=request.client.get_allowed_scope(data.get("scope")),
            redirect_uri=data["redirect_uri"],
            nonce=data.get("nonce"),
            challenge=data.get("code_challenge"),
            auth_time=get_auth_time(),
        )

    def query_authorization_code(self, code, client):
        login = self.server.logins._take_code(code, client.record)
        return Code(login) if login else None

    def authenticate_user(self, authorization_code):
        user = authorization_code.login.user_id
        return user if user.active else None

    def delete_authorization_code(self, authorization_code):
        """Keep it: who brings it again is recognised by it."""

    def create_token_response(self):
        status, token, headers = super().create_token_response()
        login = self.request.authorization_code.login
        return status, token | {"id_token": self.server.make_id_token(login, token)}, headers


class Provider(AuthorizationServer):
    """Authlib's server with this portal's clients and logins; one for each request."""

    def __init__(self, env):
        super().__init__()
        self.clients = env["saas.openid.client"].sudo()
        self.logins = env["saas.openid.login"].sudo()
        self.issuer = self.clients._get_issuer()
        self.register_grant(CodeGrant, [Challenge(required=True)])

    def query_client(self, client_id):
        record = self.clients._find(client_id)
        return Client(record) if record else None

    def authenticate_client(self, *args, **kwargs):
        try:
            return super().authenticate_client(*args, **kwargs)
        except UnicodeDecodeError as error:
            raise InvalidClientError(status_code=401) from error

    def generate_token(self, *args, scope=None, **kwargs):
        return {
            "token_type": "Bearer",
            "access_token": new_token(),
            "expires_in": int(TOKEN_LIFE.total_seconds()),
            "scope": scope,
        }

    def save_token(self, token, request):
        request.authorization_code.login._keep_token(token["access_token"])

    def make_id_token(self, login, token):
        """Return who has logged in, signed for this client."""
        now = int(time.time())
        claims = {
            **login.user_id._get_openid_claims(login.scope.split()),
            "iss": self.issuer,
            "aud": login.client_id.identifier,
            "iat": now,
            "exp": now + int(ID_TOKEN_LIFE.total_seconds()),
        }
        if login.nonce:
            claims["nonce"] = login.nonce
        if login.auth_time:
            claims["auth_time"] = login.auth_time
        key = self.logins.env["saas.openid.key"]._get_signing()
        return key._sign(claims, token["access_token"])

    def create_oauth2_request(self, request):
        return request

    def send_signal(self, name, *args, **kwargs):
        """Nobody listens."""

    def handle_response(self, status, body, headers):
        location = dict(headers).get("Location")
        if location:
            # Not 302: a browser that has posted a form would post it on (RFC 9700, 4.12).
            location = add_params_to_uri(location, [("iss", self.issuer)])
            response = request.redirect(location, 303, local=False)
        else:
            # ASCII: Odoo's make_json_response counts characters where bytes are sent.
            response = request.make_response(json.dumps(body), headers, status=status)
        response.headers.update(PRIVATE)
        return response


def get_auth_time():
    """Return when this browser has logged in, in seconds since 1970; None when nobody knows."""
    return min(
        (trace["first_activity"] for trace in request.session.get("_trace", ())), default=None
    )


def choose_step(data, client, is_logged_in):
    """Return what comes next for a request that is in order: ``login``, ``consent`` or ``code``.

    :param data: the parameters of the request; see OpenID Connect Core 1.0, 3.1.2.1
    :param client: the `saas.openid.client`
    :raises OAuth2Error: it cannot be done in the way that is asked
    """
    prompts = set(data.get("prompt", "").split())
    if "none" in prompts and len(prompts) > 1:
        raise InvalidRequestError("Invalid 'prompt' parameter.")
    if data.get("request"):
        raise RequestNotSupportedError()
    if data.get("request_uri"):
        raise RequestURINotSupportedError()
    if data.get("response_mode", "query") != "query":
        raise InvalidRequestError("Unsupported 'response_mode'")
    is_too_old = _is_too_old(data.get("max_age"))
    if not is_logged_in:
        if "none" in prompts:
            raise LoginRequiredError()
        return "login"
    if "login" in prompts or is_too_old:
        # Nobody is logged out of this portal by the address of another system.
        raise LoginRequiredError()
    if client.asks_consent or prompts & {"consent", "select_account"}:
        if "none" in prompts:
            raise ConsentRequiredError()
        return "consent"
    return "code"


def _is_too_old(max_age):
    if not max_age:
        return False
    if not max_age.isdecimal() or len(max_age) > 10:
        raise InvalidRequestError("Invalid 'max_age' parameter.")
    since = get_auth_time()
    return since is None or time.time() - since > int(max_age)
