"""Keep API keys out of Odoo's own log: at DEBUG it writes the arguments of every RPC call."""

import logging
import re

FIELDS = ("database_api_key", "databases_odoocom_key")

# 'field': 'value' in the repr of a dict, with either kind of quotes around both.
_PAIR = re.compile(
    rf"""((['"])(?:{"|".join(FIELDS)})\2\s*:\s*)('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""", re.DOTALL
)

# The name of a field that is no key of a dict, such as a column of `load`: its value is elsewhere.
_BARE = re.compile(rf"""(?:{"|".join(FIELDS)})['"](?!\s*:)""")
_CALL = re.compile(r"(call .*?\)\.\w+\().*", re.DOTALL)


class RedactingFilter(logging.Filter):
    """Replaces the value of our secret fields by stars, or all arguments when it may be anywhere."""

    def filter(self, record):
        """Change ``record`` when it names one of the fields; let every record through."""
        message = record.getMessage()
        if any(field in message for field in FIELDS):
            record.msg, record.args = _redact(message), ()
        return True


def _redact(message):
    if _BARE.search(message):
        found = _CALL.match(message)
        return f"{found[1] if found else ''}***)"
    return _PAIR.sub(r"\1'***'", message)


def install():
    """Attach the filter to Odoo's logger of RPC calls, once."""
    logger = logging.getLogger("odoo.service.model")
    if not any(isinstance(other, RedactingFilter) for other in logger.filters):
        logger.addFilter(RedactingFilter())
