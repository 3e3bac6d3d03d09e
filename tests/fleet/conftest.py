import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]
# The plain package `hosting` is imported as itself, without Odoo.
sys.path.append(str(ROOT / "addons" / "fleet_saas_server"))
