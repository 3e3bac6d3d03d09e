"""The words for what went wrong, one sentence a machine code.

The plain packages carry a code and an English sentence; here they become what a user reads in
their own language. A test keeps the two in step.
"""

from odoo.tools.translate import LazyTranslate

from ..remote import ERRORS, URL_FAULTS

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
    ("bad_setting", "Setting not usable"),
    ("bad_url", "URL not usable"),
    ("bad_login", "Not an e-mail address"),
    ("interrupted", "Connection lost"),
    ("no_proxy", "Proxy failed"),
    ("web_page", "Not an Odoo answer"),
    ("portal_account", "Portal account"),
    ("own_account", "Account in use"),
    ("unconfirmed", "Not confirmed"),
    ("secret_missing", "No encryption key"),
    ("secret_malformed", "Encryption key not valid"),
    ("secret_wrong", "Encryption key changed"),
    ("busy", "Already under way"),
    ("abandoned", "Given up"),
    ("internal", "Internal error"),
]

#: Sentences for codes of the remote client: the same texts as its ``template``\\ s.
REMOTE_SENTENCES = {
    "not_configured": _lt(
        "We are missing the database name, the api login or the api key; fill them in, then "
        "synchronize again."
    ),
    "bad_setting": _lt(
        "The %(field)s cannot be used because it holds a line break or another character that "
        "does not belong there; copy it again."
    ),
    "bad_url": _lt("The database URL cannot be used: %(message)s"),
    "bad_login": _lt("%(login)s is not an e-mail address, so no account can be made for it."),
    "credentials": _lt(
        "Invalid apikey: %(host)s refused the login or the key (mistyped, expired or "
        "revoked); create a new key there and enter it here."
    ),
    "blocked": _lt("We do not connect to %(host)s because %(reason)s; check the URL."),
    "unresolved": _lt(
        "The name %(host)s is not known on the network; check the spelling of the URL."
    ),
    "refused": _lt(
        "Nothing answers at %(host)s; check the URL and whether that server is running."
    ),
    "timeout": _lt(
        "Timeout: %(host)s did not finish its answer within %(seconds)s seconds; it is slow "
        "or unreachable, so check the URL or try again later."
    ),
    "interrupted": _lt(
        "%(host)s closed the connection before its answer was complete; try again later."
    ),
    "tls": _lt(
        "The secure connection to %(host)s was not accepted because %(reason)s; have it "
        "corrected there, or enter that server's own certificate authority here."
    ),
    "no_proxy": _lt(
        "The proxy in this server's configuration did not connect us to %(host)s; ask the "
        "administrator of this server."
    ),
    "not_served": _lt(
        "%(host)s answers, but does not serve the database %(database)s; check the URL and "
        "the database name."
    ),
    "login_page": _lt(
        "%(host)s shows a login page instead of answering; check the URL, the database name "
        "and whether something stands in front of that Odoo."
    ),
    "redirect": _lt(
        "%(host)s sends us on to %(location)s, which we do not follow; enter the address "
        "where that Odoo really is."
    ),
    "web_page": _lt(
        "%(host)s answers with a web page (HTTP %(status)s) that is not Odoo's; check the "
        "URL, or what filters the network in between."
    ),
    "no_model": _lt(
        "%(host)s does not know %(model)s; its version is too old or a module is missing there."
    ),
    "no_method": _lt(
        "%(host)s does not know %(method)s of %(model)s; its version is too old or a module "
        "is missing there."
    ),
    "access": _lt(
        "The login used at %(host)s has no right to do this (%(method)s of %(model)s); give "
        "that user more rights there."
    ),
    "rejected": _lt("%(host)s refused the request: %(message)s"),
    "conflict": _lt("%(host)s was busy with the same record; try again in a moment."),
    "server": _lt(
        "%(host)s failed while answering (HTTP %(status)s); try again later, or look at that "
        "server's log."
    ),
    "malformed": _lt(
        "%(host)s sent an answer that we cannot read; check that it is an Odoo server of a "
        "version from 14 on."
    ),
    "too_large": _lt(
        "The answer of %(host)s is larger than we accept (%(limit)s); nothing of it was kept."
    ),
    "portal_account": _lt(
        "%(login)s has a portal account at %(host)s; its type has to be changed to internal "
        "user there first."
    ),
    "own_account": _lt(
        "%(login)s is the account whose key we use at %(host)s; enter another user's key "
        "first, or we would lock ourselves out."
    ),
    "unconfirmed": _lt(
        "%(host)s accepted the change for %(login)s, but reading it back did not show it; "
        "look at the user there."
    ),
}

#: What can be wrong with a URL that somebody enters: the same texts as ``URL_FAULTS``.
URL_SENTENCES = {
    "port": _lt("The port in the URL must be a number from 1 to 65535."),
    "host": _lt("The host in the URL is not written correctly."),
    "user": _lt("The URL must not contain a user name or password."),
    "empty": _lt("The URL is empty."),
    "long": _lt("The URL is longer than %(limit)s characters."),
    "characters": _lt("The URL must not contain spaces, control characters or backslashes."),
    "scheme": _lt("The URL must start with http:// or https://, not %(scheme)s://."),
    "no_host": _lt("The URL contains no host name."),
    "ipv4": _lt("An IPv4 address in the URL must be four numbers like 192.0.2.1."),
    "ipv6": _lt("The host %(host)s is not a valid IPv6 address."),
    "zone": _lt("The URL must not contain an IPv6 zone."),
    "host_name": _lt("The host name %(host)s is not valid."),
    "two_ways": _lt("Write the host name %(host)s in its xn-- form, it can be read two ways."),
}

#: Phrases that fill a place in those sentences, by their English words.
PHRASES = {
    "its certificate has expired": _lt("its certificate has expired"),
    "its certificate is not valid yet": _lt("its certificate is not valid yet"),
    "its certificate is self-signed or comes from an unknown authority": _lt(
        "its certificate is self-signed or comes from an unknown authority"
    ),
    "its certificate belongs to another name": _lt("its certificate belongs to another name"),
    "it does not speak https on this port": _lt("it does not speak https on this port"),
    "its certificate or its encryption is not acceptable": _lt(
        "its certificate or its encryption is not acceptable"
    ),
    "it leads into a private network, which the server's configuration does not allow": _lt(
        "it leads into a private network, which the server's configuration does not allow"
    ),
    "it leads to a reserved or internal address": _lt("it leads to a reserved or internal address"),
    "too many headers or pieces": _lt("too many headers or pieces"),
    "no reason given": _lt("no reason given"),
    "no such record": _lt("no such record"),
    "database name": _lt("database name"),
    "api key": _lt("api key"),
    "api login": _lt("api login"),
    "certificate authority": _lt("certificate authority"),
    **{URL_FAULTS[code]: sentence for code, sentence in URL_SENTENCES.items()},
}

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

OWN_STATES = {
    "secret_missing": "credentials",
    "secret_malformed": "credentials",
    "secret_wrong": "credentials",
}


def error_state(code: str) -> str:
    """Return what the fleet list shows for ``code``: credentials, unreachable or error."""
    if code in ERRORS:
        return ERRORS[code].state
    return OWN_STATES.get(code, "error")
