"""Plain tests of the package ``trust``: no Odoo, no PostgreSQL."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "addons" / "fleet_saas_client"))
