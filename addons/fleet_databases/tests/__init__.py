from . import test_connect
from . import test_kpi
from . import test_odoocom
from . import test_project_project
from . import test_runs
from . import test_sync
from . import test_users
from . import test_wizards
