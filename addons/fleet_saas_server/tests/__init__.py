from . import test_archive, test_life, test_readme, test_screens, test_templates
