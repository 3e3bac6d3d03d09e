"""Where things live. Everything that is made at run time is below ``RUN``."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "scripts"
ADDONS = ROOT / "addons"
DEMO_ADDONS = SCRIPTS / "demo_addons"
LINT_ADDONS = SCRIPTS / "lint_addons"
TEST_ADDONS = SCRIPTS / "test_addons"
TESTS = ROOT / "tests"
REQUIREMENTS = SCRIPTS / "requirements"

RUN = ROOT / ".run"
VENV = RUN / "venv"
PYTHON = VENV / "bin" / "python"
ODOO = RUN / "odoo"
ODOO_JSON = RUN / "odoo.json"
PG = RUN / "pg"
TOOLS = RUN / "tools"
LOG = RUN / "log"
DATA = RUN / "data"
CACHE = RUN / "cache"
PYCACHE = RUN / "pycache"
STAMPS = RUN / "stamps"
ODOO_CONF = RUN / "odoo.conf"
SECRET_KEY = RUN / "secret.key"
DEMO_JSON = RUN / "demo.json"


def ensure_run_folders():
    """Create the folders below ``RUN`` that every command may write to."""
    for folder in (RUN, LOG, DATA, CACHE, STAMPS):
        folder.mkdir(parents=True, exist_ok=True)
