from . import test_project_project
