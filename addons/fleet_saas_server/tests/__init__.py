from . import test_readme, test_screens, test_templates
