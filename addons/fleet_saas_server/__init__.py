# The gate comes first and at import: Odoo serves on when a later import of a server-wide module
# fails, and skips post_load when something has imported the module before.
from . import gate

gate.install_if_wanted()

from . import controllers, models, wizards  # noqa: E402


def post_load():
    """Put the gate into a process that serves hosted databases; it is there already."""
    gate.install_if_wanted()
