from . import saas_database_create_wizard, saas_restore_wizard
