from . import test_our_addons
