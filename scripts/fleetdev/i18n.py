"""The terms of an addon to translate: export them, bring the translations up to date."""

import os
import tempfile
from pathlib import Path

from . import console, databases, odoo_run, paths, postgres, sentences, shell

DATES = ("POT-Creation-Date", "PO-Revision-Date")


def update(addon):
    """Export the terms of ``addon`` and merge its translations; return how many are missing."""
    folder = paths.ADDONS / addon / "i18n"
    folder.mkdir(exist_ok=True)
    sentences.update(addon)
    with tempfile.TemporaryDirectory(dir=paths.RUN) as scratch:
        exported = Path(scratch) / f"{addon}.pot"
        _export(addon, exported)
        template = _read(exported)
    kept = _write(folder / f"{addon}.pot", template)
    missing = 0
    for path in sorted(folder.glob("*.po")):
        missing += _merge(path, template, kept)
    return missing


def _export(addon, target):
    database = f"{postgres.prefix()}i18n_{addon}_{os.getpid()}"
    source = databases.template("base")
    try:
        with console.step(f"Exporting the terms of {addon}"):
            databases.copy(source, database)
            options = ("-d", database, "-i", addon, "--stop-after-init", "--no-http")
            log = paths.LOG / f"i18n-{addon}-install.log"
            odoo_run.call(*options, log=log, what=f"Installing {addon}")
            shell.run(
                odoo_run.command("-d", database, "-o", target, addon, subcommand="i18n export"),
                log=paths.LOG / f"i18n-{addon}-export.log",
                what=f"Exporting the terms of {addon}",
                env=odoo_run.environment(),
                cwd=paths.RUN,
            )
    finally:
        databases.drop(database)


def _merge(path, template, creation):
    """Give the translation file the terms of ``template``, in its order; say what it lacks."""
    old = _read(path)
    known = {_key(entry): entry for entry in old if not entry.obsolete}
    language = _read(template)
    language.metadata = old.metadata | {"POT-Creation-Date": creation}
    language.header = old.header
    missing = []
    for entry in language:
        before = known.pop(_key(entry), None)
        if before:
            entry.msgstr = before.msgstr
        if not entry.msgstr:
            missing.append(entry.msgid)
    _write(path, language)
    console.say(
        f"{path.relative_to(paths.ROOT)}: {len(language)} terms, {len(missing)} missing, "
        f"{len(known)} no longer used"
    )
    for text in missing:
        console.say(f"   missing: {text!r}")
    for msgid, _context in known:
        console.say(f"   removed: {msgid!r}")
    return len(missing)


def _key(entry):
    return entry.msgid, entry.msgctxt


def _read(source):
    """Return the terms in ``source``: a path, or terms to copy."""
    import polib  # Odoo's own, in the virtual environment

    return polib.pofile(str(source), encoding="utf-8")


def _write(path, file):
    """Write ``file`` unless nothing but its dates changed; return its date of creation."""
    before = _read(path) if path.exists() else None
    if before is not None and _without_dates(before) == _without_dates(file):
        return before.metadata["POT-Creation-Date"]
    file.save(str(path))
    return file.metadata["POT-Creation-Date"]


def _without_dates(file):
    """Return the text of ``file`` without the lines that change at every export."""
    return [
        line
        for line in str(file).splitlines()
        if not line.startswith(tuple(f'"{name}' for name in DATES))
    ]
