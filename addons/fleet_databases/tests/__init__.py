from . import test_project_project
from . import test_runs
from . import test_sync
