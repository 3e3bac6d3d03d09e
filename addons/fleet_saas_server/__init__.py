# The gate comes first and at import, not in post_load: Odoo serves on when a later import of a
# server-wide module fails, and skips post_load when something has imported the module before.
from . import gate

# A process that serves customers has the gate and nothing else of this addon: an administrator of
# a hosted database could install the rest there, and act on the databases of everybody.
if not gate.install_if_wanted():
    from . import controllers, models, wizards


def pre_init_hook(env):
    """Refuse to be installed into a hosted database."""
    gate.refuse_hosted(env)
