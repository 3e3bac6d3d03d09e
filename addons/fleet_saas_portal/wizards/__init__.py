# ruff: noqa: I001 - the order in which Odoo has to see the models
from . import saas_instance_asking
from . import saas_instance_wizard
from . import saas_instance_wizard_access
from . import saas_instance_adopt
from . import saas_instance_bulk_wizard
from . import saas_connect_wizard
from . import saas_subscription_extend
from . import saas_subscription_change
from . import saas_subscription_excess
from . import saas_instance_move_wizard
