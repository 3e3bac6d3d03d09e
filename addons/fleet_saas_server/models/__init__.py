# ruff: noqa: I001 - the order in which Odoo has to see the models
from . import saas_operation_owner
from . import saas_operation
from . import saas_operation_run
from . import saas_operation_step
from . import saas_host
from . import saas_health
from . import saas_database
from . import saas_database_template_version
from . import saas_database_template
