"""Errors of the plain package in a user's words."""

from odoo.exceptions import UserError

from ..hosting.errors import SENTENCES


class KeyReused(UserError):
    """An idempotency key came back with another request: 409 for programs."""

    http_status = 409


def words(env, code, facts):
    """Return the sentence of an error code in the user's language, ``False`` without a code."""
    if not code:
        return False
    # The texts are exported where `saas_sentences` marks them; here one is only chosen.
    translate = env._
    try:
        return translate(SENTENCES[code]) % (facts or {})
    except (KeyError, ValueError, TypeError):
        # A translation that names something else must not hide the error itself.
        return code
