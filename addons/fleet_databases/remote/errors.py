"""What can go wrong between here and another database, one class a cause.

Every error has a machine ``code``, the ``state`` that the fleet list shows, and one plain sentence.
The sentence is a ``template`` with named values, so that the edge can translate it; the values in
``params`` are short, cleaned plain values. No error ever holds a key, a body or the other side's
traceback.
"""

from __future__ import annotations

import unicodedata
from typing import ClassVar

MESSAGE_LENGTH = 200  # characters kept of any text that the other side wrote

# Marks that turn the direction of writing around, and what is no character at all.
_REORDERING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\ufffe\uffff")

# Every fixed phrase that can fill %(reason)s, so that the edge can translate these too.
REASONS: dict[str, str] = {
    "expired": "its certificate has expired",
    "not_yet": "its certificate is not valid yet",
    "self_signed": "its certificate is self-signed or comes from an unknown authority",
    "wrong_host": "its certificate belongs to another name",
    "no_tls": "it does not speak https on this port",
    "other_tls": "its certificate or its encryption is not acceptable",
    "private": "it leads into a private network, which the server's configuration does not allow",
    "never": "it leads to a reserved or internal address",
}


def plain(text: str, length: int = MESSAGE_LENGTH) -> str:
    """Return ``text`` on one line, without control characters, at most ``length`` characters.

    Also removes what PostgreSQL or a browser would stumble over: NUL, lone surrogates and the
    marks that reverse the direction of writing. Markup is kept as the text that it is.
    """
    head = text[: length * 8]
    kept = (" " if char.isspace() else char for char in head if _is_plain(char))
    line = " ".join("".join(kept).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _is_plain(char: str) -> bool:
    if char.isspace():
        return True
    return unicodedata.category(char) not in ("Cc", "Cs") and char not in _REORDERING


class RemoteError(Exception):
    """A call to another database failed; the subclass says why.

    :param params: the values of the template's placeholders; texts are cleaned and cut
    """

    code: ClassVar[str] = "error"
    state: ClassVar[str] = "error"
    template: ClassVar[str] = "%(host)s could not be used."
    # Asking this database anything else now would end the same way.
    final: ClassVar[bool] = True

    def __init__(self, **params: str | int) -> None:
        self.params: dict[str, str | int] = {
            name: plain(value) if isinstance(value, str) else value
            for name, value in params.items()
        }
        super().__init__(self.code)

    def __str__(self) -> str:
        return self.template % self.params


# --- what has to be filled in or corrected here


class NotConfigured(RemoteError):
    code = "not_configured"
    state = "credentials"
    template = (
        "We are missing the database name, the api login or the api key; "
        "fill them in, then synchronize again."
    )


class BadSetting(RemoteError):
    code = "bad_setting"
    state = "credentials"
    template = (
        "The %(field)s cannot be used because it holds a line break or another character "
        "that does not belong there; copy it again."
    )


class BadUrl(RemoteError):
    code = "bad_url"
    template = "The database URL cannot be used: %(message)s"


class BadLogin(RemoteError):
    code = "bad_login"
    final = False
    template = "%(login)s is not an e-mail address, so no account can be made for it."


class Credentials(RemoteError):
    code = "credentials"
    state = "credentials"
    template = (
        "Invalid apikey: %(host)s refused the login or the key (mistyped, expired or revoked); "
        "create a new key there and enter it here."
    )


# --- nobody, or not the right one, at that address


class Blocked(RemoteError):
    code = "blocked"
    template = "We do not connect to %(host)s because %(reason)s; check the URL."


class Unresolved(RemoteError):
    code = "unresolved"
    state = "unreachable"
    template = "The name %(host)s is not known on the network; check the spelling of the URL."


class Refused(RemoteError):
    code = "refused"
    state = "unreachable"
    template = "Nothing answers at %(host)s; check the URL and whether that server is running."


class Timeout(RemoteError):
    code = "timeout"
    state = "unreachable"
    template = (
        "Timeout: %(host)s did not finish its answer within %(seconds)s seconds; "
        "it is slow or unreachable, so check the URL or try again later."
    )


class Interrupted(RemoteError):
    code = "interrupted"
    state = "unreachable"
    template = "%(host)s closed the connection before its answer was complete; try again later."


class Tls(RemoteError):
    code = "tls"
    state = "unreachable"
    template = (
        "The secure connection to %(host)s was not accepted because %(reason)s; "
        "have it corrected there, or enter that server's own certificate authority here."
    )


class NoProxy(RemoteError):
    code = "no_proxy"
    state = "unreachable"
    template = (
        "The proxy in this server's configuration did not connect us to %(host)s; "
        "ask the administrator of this server."
    )


class NotServed(RemoteError):
    code = "not_served"
    template = (
        "%(host)s answers, but does not serve the database %(database)s; "
        "check the URL and the database name."
    )


class LoginPage(RemoteError):
    code = "login_page"
    template = (
        "%(host)s shows a login page instead of answering; "
        "check the URL, the database name and whether something stands in front of that Odoo."
    )


class Redirect(RemoteError):
    code = "redirect"
    template = (
        "%(host)s sends us on to %(location)s, which we do not follow; "
        "enter the address where that Odoo really is."
    )


class WebPage(RemoteError):
    code = "web_page"
    template = (
        "%(host)s answers with a web page (HTTP %(status)s) that is not Odoo's; "
        "check the URL, or what filters the network in between."
    )


# --- Odoo answers, but not with what was asked


class NoModel(RemoteError):
    code = "no_model"
    final = False
    template = (
        "%(host)s does not know %(model)s; its version is too old or a module is missing there."
    )


class NoMethod(RemoteError):
    code = "no_method"
    final = False
    template = (
        "%(host)s does not know %(method)s of %(model)s; "
        "its version is too old or a module is missing there."
    )


class NoRight(RemoteError):
    code = "access"
    final = False
    template = (
        "The login used at %(host)s has no right to do this (%(method)s of %(model)s); "
        "give that user more rights there."
    )


class Rejected(RemoteError):
    code = "rejected"
    final = False
    template = "%(host)s refused the request: %(message)s"


class Conflict(RemoteError):
    code = "conflict"
    final = False
    template = "%(host)s was busy with the same record; try again in a moment."


class ServerError(RemoteError):
    code = "server"
    final = False
    template = (
        "%(host)s failed while answering (HTTP %(status)s); "
        "try again later, or look at that server's log."
    )


class Malformed(RemoteError):
    code = "malformed"
    final = False
    template = (
        "%(host)s sent an answer that we cannot read; "
        "check that it is an Odoo server of a version from 14 on."
    )


class TooLarge(RemoteError):
    code = "too_large"
    final = False
    template = (
        "The answer of %(host)s is larger than we accept (%(limit)s); nothing of it was kept."
    )


# --- accounts


class PortalAccount(RemoteError):
    code = "portal_account"
    final = False
    template = (
        "%(login)s has a portal account at %(host)s; "
        "its type has to be changed to internal user there first."
    )


class OwnAccount(RemoteError):
    code = "own_account"
    final = False
    template = (
        "%(login)s is the account whose key we use at %(host)s; "
        "enter another user's key first, or we would lock ourselves out."
    )


class Unconfirmed(RemoteError):
    code = "unconfirmed"
    final = False
    template = (
        "%(host)s accepted the change for %(login)s, but reading it back did not show it; "
        "look at the user there."
    )


ERRORS: dict[str, type[RemoteError]] = {
    cls.code: cls
    for cls in (
        NotConfigured, BadSetting, BadUrl, BadLogin, Credentials,
        Blocked, Unresolved, Refused, Timeout, Interrupted, Tls, NoProxy,
        NotServed, LoginPage, Redirect, WebPage,
        NoModel, NoMethod, NoRight, Rejected, Conflict, ServerError, Malformed, TooLarge,
        PortalAccount, OwnAccount, Unconfirmed,
    )
}  # fmt: skip
