from . import test_contract, test_instance, test_request, test_server
