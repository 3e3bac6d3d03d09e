"""Plain tests of the package ``trust``: no Odoo, no PostgreSQL."""

import sys
from pathlib import Path

ADDONS = Path(__file__).resolve().parents[2] / "addons"
# And `hosting`, which signs what is read here.
sys.path += [str(ADDONS / "fleet_saas_client"), str(ADDONS / "fleet_saas_server")]
