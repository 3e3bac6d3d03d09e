from . import (
    test_access,
    test_connect,
    test_i18n,
    test_key,
    test_kpi,
    test_odoocom,
    test_project_project,
    test_readme,
    test_runs,
    test_sync,
    test_users,
    test_wizards,
)
