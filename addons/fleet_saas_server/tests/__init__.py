from . import (
    test_access,
    test_archive,
    test_backup,
    test_create,
    test_final_backup,
    test_health,
    test_i18n,
    test_life,
    test_mail_server,
    test_readme,
    test_screens,
    test_templates,
)
