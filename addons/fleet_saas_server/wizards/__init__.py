from . import saas_restore_wizard
