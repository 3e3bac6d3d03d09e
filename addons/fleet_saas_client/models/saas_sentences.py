"""Every error of the plain package as a term to translate, by its code.

Made from the calls of ``sentences`` in this addon: ``make i18n`` writes it anew.
"""

from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

SENTENCES = {
    "bad_claims": _lt("What was signed is incomplete or of the wrong shape: %(claim)s."),
    "bad_header": _lt("The signed text is of another kind than the one that belongs here."),
    "bad_keys": _lt("A set of keys is refused: %(reason)s."),
    "bad_signature": _lt("Its signature is wrong."),
    "expired": _lt("It is too old."),
    "no_anchor": _lt(
        "The keys of the hosting server cannot be read (%(reason)s). Your provider has to repair the file that holds them."
    ),
    "not_a_token": _lt("This is no signed text."),
    "not_yet": _lt("It is from the future: the clocks of two machines differ."),
    "too_long_lived": _lt("It would be valid for longer than %(seconds)s seconds."),
    "unknown_key": _lt("It is signed with a key that nobody here knows."),
    "wrong_audience": _lt("It was made for another database."),
    "wrong_issuer": _lt("It was made by somebody else."),
}
