from . import (
    saas_database_bulk_wizard,
    saas_database_create_wizard,
    saas_database_life_wizard,
    saas_health,
    saas_health_backups,
    saas_health_checks,
    saas_health_room,
    saas_health_waiting,
    saas_import_wizard,
    saas_login_wizard,
    saas_restore_wizard,
    saas_template_wizard,
)
