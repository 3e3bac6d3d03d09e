"""What the server's own configuration says to a hosted database.

==================  ===============  =========================================================
odoo.conf           environment      meaning
==================  ===============  =========================================================
``fleet_trust``     ``FLEET_TRUST``  file with the public keys of the hosting servers; unless
                                     given, ``fleet/trust.json`` in the data folder
==================  ===============  =========================================================

Only who runs the machine sets it: a database's administrator can neither choose nor write the file.
"""

import os
from pathlib import Path

from odoo.tools import config


def trust_path() -> Path:
    """Return the path of the trust anchor; the file need not exist."""
    value = os.environ.get("FLEET_TRUST")
    if value is None:
        value = config.get("fleet_trust")
    given = str(value or "").strip()
    return Path(given) if given else Path(config["data_dir"], "fleet", "trust.json")
