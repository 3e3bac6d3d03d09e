import base64
import hashlib
import json
import secrets
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from lxml import html

from odoo.http import Request

from .customer import CustomerCase

CALLBACK = "https://wiki.example.com/login/callback"


class RelyingParty:
    """Another system: it keeps what it has sent, and checks what comes back as the standard says.

    It knows nothing but the discovery address, its ID, and its secret if it has one.
    """

    def __init__(self, case, client, secret=None):
        self.case, self.client_id, self.secret = case, client.identifier, secret
        self.facts = case.url_open("/.well-known/openid-configuration").json()
        self.state, self.nonce = secrets.token_urlsafe(), secrets.token_urlsafe()
        self.verifier = secrets.token_urlsafe(48)

    @property
    def challenge(self):
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def address(self, **changed):
        """Return where it sends the browser; None leaves a parameter out."""
        values = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": CALLBACK,
            "scope": "openid profile email databases",
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": self.challenge,
            "code_challenge_method": "S256",
        } | changed
        values = {name: value for name, value in values.items() if value is not None}
        return f"{self.facts['authorization_endpoint']}?{urlencode(values, doseq=True)}"

    def take(self, code, /, auth="basic", **changed):
        """Ask for tokens with a code, and return the answer."""
        values = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": self.verifier,
        } | changed
        headers = {}
        if auth == "basic":
            pair = base64.b64encode(f"{self.client_id}:{self.secret}".encode()).decode()
            headers["Authorization"] = f"Basic {pair}"
        else:
            values = {"client_id": self.client_id, **values}
        if auth == "post":
            values["client_secret"] = self.secret
        values = {name: value for name, value in values.items() if value is not None}
        return self.case.url_open(self.facts["token_endpoint"], data=values, headers=headers)

    def keys(self):
        return self.case.url_open(self.facts["jwks_uri"]).json()["keys"]

    def read(self, token):
        """Return what an ID token says, checked with the keys that the portal publishes."""
        kid = jwt.get_unverified_header(token)["kid"]
        [key] = [key for key in self.keys() if key["kid"] == kid]
        return jwt.decode(
            token,
            jwt.PyJWK(key).key,
            algorithms=self.facts["id_token_signing_alg_values_supported"],
            audience=self.client_id,
            issuer=self.facts["issuer"],
        )

    def who(self, token):
        headers = {"Authorization": f"Bearer {token}"}
        return self.case.url_open(self.facts["userinfo_endpoint"], headers=headers)


class OpenidCase(CustomerCase):
    """A wiki with a secret, that asks nobody; to be mixed with `HttpCase`."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = cls.env["saas.openid.client"].create(
            {
                "name": "Wiki",
                "redirect_uris": f"{CALLBACK}\nhttp://localhost:8123/callback",
                "asks_consent": False,
                "tells_databases": True,
            }
        )
        cls.secret = cls.client.action_new_secret()["context"]["default_secret"]

    def setUp(self):
        super().setUp()
        self.wiki = RelyingParty(self, self.client, self.secret)

    def login(self, user):
        self.authenticate(user and user.login, user and user.login)

    def get(self, address):
        return self.url_open(address, allow_redirects=False)

    def walk_in(self, user, address):
        """Follow an address as a browser that is not logged in; return the answer after the login."""
        self.authenticate(None, None, session_extra={"_trace_disable": False})
        first = self.get(address)
        self.assertEqual(first.status_code, 303)
        parts = urlsplit(first.headers["Location"])
        self.assertEqual(parts.path, "/web/login")
        [form] = html.fromstring(self.url_open(first.headers["Location"]).text).xpath(
            "//form[contains(@class, 'oe_login_form')]"
        )
        values = dict(form.form_values()) | {
            "redirect": parse_qs(parts.query)["redirect"][0],
            "login": user.login,
            "password": user.login.ljust(8, "x"),
        }
        answer = self.url_open("/web/login", data=values, allow_redirects=False)
        self.assertTrue(answer.headers["Location"].startswith("/openid/authorize?"))
        return self.get(answer.headers["Location"])

    def came_back(self, answer):
        """Return what the browser brings to the other system."""
        self.assertEqual(answer.status_code, 303, answer.text)
        parts = urlsplit(answer.headers["Location"])
        self.assertEqual(f"{parts.scheme}://{parts.netloc}{parts.path}", CALLBACK)
        return {name: value for name, [value] in parse_qs(parts.query).items()}

    def code(self, party=None, **changed):
        """Return the code that the browser of Max brings."""
        self.login(self.max)
        return self.came_back(self.get((party or self.wiki).address(**changed)))["code"]

    def tokens(self, **changed):
        answer = self.wiki.take(self.code(**changed))
        self.assertEqual(answer.status_code, 200, answer.text)
        return answer.json()

    def form(self, answer):
        self.assertEqual(answer.status_code, 200, answer.text)
        [form] = html.fromstring(answer.text).xpath("//form[@action='/openid/answer']")
        return dict(form.form_values())

    def reply(self, page, /, **changed):
        values = {**self.form(page), "csrf_token": Request.csrf_token(self), **changed}
        return self.url_open("/openid/answer", data=values, allow_redirects=False)

    def assertError(self, answer, status, error):
        self.assertEqual((answer.status_code, answer.json().get("error")), (status, error))
        self.assertNotIn("access_token", answer.text)

    def assertStays(self, answer):
        """Check that the browser is sent nowhere, and no code was made."""
        self.assertEqual(answer.status_code, 400)
        self.assertNotIn("Location", answer.headers)
        self.assertFalse(self.env["saas.openid.login"].search([]))

    def claims_unsigned(self, token):
        head, body, _signature = token.split(".")
        return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in (head, body)]
