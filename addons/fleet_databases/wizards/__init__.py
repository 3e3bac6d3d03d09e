from . import databases_invite_wizard, databases_remove_wizard
