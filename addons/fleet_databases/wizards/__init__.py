from . import databases_invite_wizard
from . import databases_remove_wizard
