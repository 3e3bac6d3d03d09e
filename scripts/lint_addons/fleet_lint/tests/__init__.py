from . import test_our_addons, test_translations
