from . import (
    test_adopt,
    test_bulk,
    test_capacity,
    test_contract,
    test_customer_pages,
    test_customer_rules,
    test_instance,
    test_operate,
    test_request,
    test_server,
    test_signup,
    test_start,
)
