# ruff: noqa: I001 - the order in which Odoo has to see the models
from . import saas_request_owner
from . import saas_server
from . import saas_template
from . import saas_plan
from . import saas_instance
from . import saas_request
from . import saas_request_work
from . import res_partner
