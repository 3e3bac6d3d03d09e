"""What is written for the administrator of a hosting server names what the server reads."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fleetdev import paths

ADDON = paths.ADDONS / "fleet_saas_server"
DOCUMENTS = (paths.ROOT / "odoo.conf.example", ADDON / "readme" / "CONFIGURE.md")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_option_of_the_server_is_explained(document: Path) -> None:
    options = set(re.findall(r"``(fleet_[a-z_]+)``", (ADDON / "settings.py").read_text()))
    assert len(options) > 8
    text = document.read_text()
    assert sorted(option for option in options if not re.search(rf"\b{option}\b", text)) == []
