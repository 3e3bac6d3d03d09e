"""Encryption with verified certificates; there is no switch to turn that off."""

from __future__ import annotations

import ssl
from functools import lru_cache
from pathlib import Path

from .errors import REASONS, BadSetting, Tls

# OpenSSL's X509_V_ERR_* numbers (x509_vfy.h).
_REASON_BY_NUMBER = {
    9: "not_yet",
    10: "expired",
    18: "self_signed",
    19: "self_signed",
    20: "self_signed",
    21: "self_signed",
    62: "wrong_host",
    64: "wrong_host",
}
_NOT_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST", "UNEXPECTED_MESSAGE")


def context(ca: str | None) -> ssl.SSLContext:
    """Return a verifying context: the system's authorities, and ``ca`` when one is pinned.

    :param ca: PEM text
    :raises BadSetting: ``ca`` is no certificate
    """
    try:
        return _context(ca)
    except (ssl.SSLError, ValueError) as error:
        raise BadSetting(field="certificate authority") from error


@lru_cache(maxsize=16)  # reading the system's store takes about 20 ms and 1 MB each time
def _context(ca: str | None) -> ssl.SSLContext:
    made = ssl.create_default_context()
    made.set_alpn_protocols(["http/1.1"])
    if not _system_has_authorities() and (bundle := _certifi()):
        made.load_verify_locations(cafile=bundle)
    if ca:
        made.load_verify_locations(cadata=ca)
        # A pinned certificate may also be the server's own, or an authority in between.
        made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return made


def _system_has_authorities() -> bool:
    paths = ssl.get_default_verify_paths()
    if paths.cafile and Path(paths.cafile).is_file():
        return True
    folder = Path(paths.capath) if paths.capath else None
    return bool(folder and folder.is_dir() and next(folder.iterdir(), None))


def _certifi() -> str | None:
    try:
        import certifi  # comes with requests, so with every Odoo
    except ImportError:
        return None
    return str(certifi.where())


def refusal(host: str, error: ssl.SSLError) -> Tls:
    """Say why a connection was not secure, from OpenSSL's numbers rather than its words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = _REASON_BY_NUMBER.get(error.verify_code, "other_tls")
    elif error.reason in _NOT_TLS or isinstance(error, ssl.SSLEOFError):
        reason = "no_tls"
    else:
        reason = "other_tls"
    return Tls(host=host, reason=REASONS[reason])
