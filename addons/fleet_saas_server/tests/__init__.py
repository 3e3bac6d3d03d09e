from . import test_life, test_readme, test_screens, test_templates
