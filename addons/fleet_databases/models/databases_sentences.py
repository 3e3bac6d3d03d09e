"""The words for what went wrong, one sentence a machine code.

The plain packages carry a code and an English sentence; here they become what a user reads in
their own language. A test keeps the two in step.
"""

from odoo.tools.translate import LazyTranslate

from ..remote import ERRORS

_lt = LazyTranslate(__name__)

ERROR_CODES = [
    ("not_configured", "Credentials incomplete"),
    ("refused", "Connection refused"),
    ("unresolved", "Unknown host"),
    ("timeout", "Timeout"),
    ("tls", "Certificate not trusted"),
    ("credentials", "Invalid apikey"),
    ("not_served", "Database not served there"),
    ("no_model", "Model missing"),
    ("no_method", "Method missing"),
    ("access", "Access denied"),
    ("login_page", "Login page"),
    ("redirect", "Redirected elsewhere"),
    ("malformed", "Answer not understood"),
    ("too_large", "Answer too large"),
    ("blocked", "Address not allowed"),
    ("rejected", "Refused by the database"),
    ("server", "Server error"),
    ("conflict", "Busy"),
    ("secret_missing", "No encryption key"),
    ("secret_malformed", "Encryption key not valid"),
    ("secret_wrong", "Encryption key changed"),
    ("busy", "Already under way"),
    ("abandoned", "Given up"),
    ("internal", "Internal error"),
]

#: Sentences for codes of the remote client: the same texts as its ``template``\\ s.
REMOTE_SENTENCES = {}

#: Sentences for what goes wrong on our own side.
OWN_SENTENCES = {
    "secret_missing": _lt(
        "This server has no encryption key, so API keys can be neither stored nor used. "
        "Ask its administrator to set fleet_secret_keys in odoo.conf "
        "(odoo-bin databases_keys generate prints a new one) and to restart Odoo."
    ),
    "secret_malformed": _lt(
        "The encryption key of this server is not valid: fleet_secret_keys in odoo.conf "
        "must hold keys as printed by odoo-bin databases_keys generate, separated by commas."
    ),
    "secret_wrong": _lt(
        "The stored API key was encrypted with another encryption key than the ones this "
        "server has. Put the former key back, last in fleet_secret_keys, or enter the API key again."
    ),
    "busy": _lt("Another run is working on this database right now. Try again in a minute."),
    "abandoned": _lt(
        "Given up: the server was stopped three times while it worked on this database. "
        "Synchronize it by itself, and look into the server's log if it happens again."
    ),
    "internal": _lt(
        "Something unexpected went wrong on our side; nothing stored was lost. The server's log tells more."
    ),
}

SENTENCES = {**REMOTE_SENTENCES, **OWN_SENTENCES}

OWN_STATES = {"secret_missing": "credentials", "secret_malformed": "credentials", "secret_wrong": "credentials"}


def error_state(code: str) -> str:
    """Return what the fleet list shows for ``code``: credentials, unreachable or error."""
    if code in ERRORS:
        return ERRORS[code].state
    return OWN_STATES.get(code, "error")
