"""The sentences of a plain package as terms to translate.

A plain package knows nothing of translation: it registers its errors with ``sentences(code="…")``.
Odoo's export sees only what is marked, so the same texts stand marked in a file that is made here.
"""

import ast
import subprocess

from . import console, files, paths

HEAD = '''"""Every error of the plain package as a term to translate, by its code.

Made from the calls of ``sentences`` in this addon: ``make i18n`` writes it anew.
"""

from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

SENTENCES = {
'''


def target(addon):
    """Return the file that holds the marked sentences of an addon."""
    return paths.ADDONS / addon / "models" / "saas_sentences.py"


def update(addon):
    """Write the marked sentences of ``addon`` anew; return whether that changed anything."""
    path = target(addon)
    if not path.exists():
        return False
    before = path.read_text()
    files.write(path, source(addon))
    subprocess.run([paths.VENV / "bin" / "ruff", "format", "--quiet", path], check=True)
    return path.read_text() != before


def source(addon):
    """Return the Python source that marks the sentences of ``addon``, sorted by code."""
    found = {}
    for path in sorted((paths.ADDONS / addon).rglob("*.py")):
        for code, text in _sentences(path):
            if found.setdefault(code, text) != text:
                raise console.Failure(f"{path}: the error code {code} has another sentence already")
    lines = [f"    {code!r}: _lt({text!r}),\n" for code, text in sorted(found.items())]
    return "".join([HEAD, *lines, "}\n"])


def _sentences(path):
    """Yield the code and the text of each sentence that a file registers."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "sentences":
            for keyword in node.keywords:
                yield keyword.arg, ast.literal_eval(keyword.value)
