"""Keep API keys out of Odoo's own log: at DEBUG it writes the arguments of every RPC call."""

import logging
import re

FIELDS = ("database_api_key", "databases_odoocom_key")

# 'field': 'value' in the repr of a dict, with either kind of quotes around both.
_PAIR = re.compile(
    rf"""((['"])(?:{"|".join(FIELDS)})\2\s*:\s*)('(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*")""", re.DOTALL
)


class RedactingFilter(logging.Filter):
    """Replaces the value of our secret fields by stars."""

    def filter(self, record):
        """Change ``record`` when it names one of the fields; let every record through."""
        message = record.getMessage()
        if any(field in message for field in FIELDS):
            record.msg, record.args = _PAIR.sub(r"\1'***'", message), ()
        return True


def install():
    """Attach the filter to Odoo's logger of RPC calls, once."""
    logger = logging.getLogger("odoo.service.model")
    if not any(isinstance(other, RedactingFilter) for other in logger.filters):
        logger.addFilter(RedactingFilter())
