"""What every Odoo 19 must be able to read of our manifests."""

from __future__ import annotations

import ast
import re

from fleetdev import paths


def test_packages_are_named_without_versions_which_odoo_reads_only_where_packaging_is() -> None:
    named = []
    for path in sorted(paths.ADDONS.glob("*/__manifest__.py")):
        manifest = ast.literal_eval(path.read_text())
        named += manifest.get("external_dependencies", {}).get("python", [])
    assert "cryptography" in named
    # Odoo's own reading without it, odoo/modules/module.py; tests have it, since pytest needs it.
    assert [each for each in named if not re.fullmatch(r"[\w\-]+", each)] == []
