from . import (
    test_apps,
    test_banner,
    test_i18n,
    test_kpi,
    test_nothing,
    test_sso,
    test_storage,
    test_suspended,
    test_tricks,
    test_users,
)
