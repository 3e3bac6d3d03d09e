"""Find or fetch the source of Odoo 19: what is given first, then Debian's package, then upstream's archive."""

import importlib.util
import json
import os
import re
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

from . import console, debian, files, paths

SERIES = "19.0"
UPSTREAM_URL = "https://nightly.odoo.com/19.0/nightly/src/odoo_19.0.latest.tar.gz"
HELP = "set ODOO_HOME to a source tree or an unpacked package of Odoo 19 and run the same command again"


def ensure():
    """Return the facts about the Odoo in use, and write them to ``.run/odoo.json``."""
    facts = _given() or _importable() or _fetched() or _fetch()
    files.write(paths.ODOO_JSON, json.dumps(facts, indent=2) + "\n")
    return facts


def check_given():
    """Fail at once when ODOO_HOME is set and holds no Odoo of our series."""
    _given()


def read():
    """Return the facts that `ensure` wrote: ``python_path``, ``addons_path``, ``origin``, ``identity``."""
    return json.loads(paths.ODOO_JSON.read_text())


def _given():
    home = os.environ.get("ODOO_HOME")
    if not home:
        return None
    facts = _describe(Path(home).resolve(), "ODOO_HOME")
    if not facts:
        raise console.Failure(
            f"ODOO_HOME={home} holds no Odoo {SERIES}: no odoo/release.py of that series is below it"
        )
    return facts


def _importable():
    try:
        spec = importlib.util.find_spec("odoo")
    except (ImportError, ValueError):
        return None
    for location in (spec and spec.submodule_search_locations) or ():
        facts = _describe(Path(location).parent, "the Python that runs this")
        if facts:
            return facts
    return None


def _fetched():
    origin = paths.ODOO / "ORIGIN"
    if not origin.exists():
        return None
    if origin.read_text().startswith("Debian"):
        debian.complete(paths.ODOO)
    return _describe(paths.ODOO, origin.read_text().strip())


def _describe(home, origin):
    for python_path in (home, home / "usr/lib/python3/dist-packages"):
        release = python_path / "odoo/release.py"
        if not release.exists() or not (python_path / "odoo/addons/base").exists():
            continue
        text = release.read_text()
        if not re.search(r"version_info = \(19, 0,", text):
            return None
        beside = python_path / "addons"
        whole = (python_path / "odoo/addons/web/__manifest__.py").exists()
        addons_path = [] if whole else [str(beside)]
        return {
            "python_path": str(python_path),
            "addons_path": addons_path,
            "origin": origin,
            "identity": files.digest(text, str(python_path), _build(home)),
        }
    return None


def _build(home):
    origin = home / "ORIGIN"
    return origin.read_text() if origin.exists() else ""


def _fetch():
    tried = []
    for name, fill in (
        ("Debian's package odoo-19", debian.unpack_odoo),
        ("upstream's archive", _unpack_upstream),
    ):
        try:
            with console.step(f"Fetching Odoo 19 from {name}", lambda: _megabytes(paths.RUN)):
                with files.fresh_folder(paths.ODOO) as folder:
                    origin = fill(folder)
                    (folder / "ORIGIN").write_text(origin + "\n")
            return _fetched()
        except (console.Failure, OSError, tarfile.TarError) as error:
            console.say(f"   {name}: {error}")
            tried.append(f"{name} ({error})")
    raise console.Failure(
        f"Odoo 19 could not be had. Tried: {'; '.join(tried)}. What to do: {HELP}"
    )


def _megabytes(folder):
    size = 0
    for building in folder.glob(".odoo.new-*"):
        for path in building.glob("debs/**/*"):
            size += path.stat().st_size if path.is_file() else 0
        for path in building.glob("*.tar.gz"):
            size += path.stat().st_size
    return f"({size / 1e6:.0f} MB)"


def _unpack_upstream(folder):
    archive = folder / "odoo.tar.gz"
    try:
        with (
            urllib.request.urlopen(UPSTREAM_URL, timeout=60) as answer,
            open(archive, "wb") as target,
        ):
            while block := answer.read(1 << 20):
                target.write(block)
    except urllib.error.URLError as error:
        raise console.Failure(f"{UPSTREAM_URL}: {error.reason}") from error
    with tarfile.open(archive) as tar:
        top = tar.getnames()[0].split("/")[0]
        tar.extractall(folder, **({"filter": "data"} if hasattr(tarfile, "data_filter") else {}))
    archive.unlink()
    for part in (folder / top).iterdir():
        part.rename(folder / part.name)
    return f"upstream {top}"
