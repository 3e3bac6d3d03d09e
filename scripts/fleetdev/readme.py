"""The page of an addon in the Apps list, made from the texts in its ``readme`` folder.

They use little of Markdown: headings, paragraphs, lists, tables, blocks of code, and within a
line code, bold and italics.
"""

import ast
import re
from html import escape

from . import files, paths

PARTS = (
    ("DESCRIPTION", ""),
    ("INSTALL", "Installation"),
    ("CONFIGURE", "Set-up"),
    ("USAGE", "Use"),
    ("CONTRACT", "For other machines"),
    ("DEVELOP", "Development"),
)
HEAD = "<!-- Made from the folder readme: make readme -->\n"
ITEM = re.compile(r"(?:- |\d+\. )")
INLINE = (
    (re.compile(r"\*\*(.+?)\*\*"), r"<b>\1</b>"),
    (re.compile(r"\*(.+?)\*"), r"<i>\1</i>"),
)


def update(addon):
    """Write the page of ``addon``."""
    target = paths.ADDONS / addon / "static" / "description" / "index.html"
    files.write(target, page(addon))
    return target


def page(addon):
    """Return the page of ``addon`` as HTML."""
    folder = paths.ADDONS / addon
    heading = ast.literal_eval((folder / "__manifest__.py").read_text())["name"]
    sections = [f'{HEAD}<section class="container">\n<h1>{escape(heading)}</h1>']
    for name, title in PARTS:
        part = folder / "readme" / f"{name}.md"
        if part.exists():
            sections += [f"<h2>{title}</h2>"] * bool(title)
            sections += _blocks(part.read_text())
    return "\n".join([*sections, "</section>", ""])


def _blocks(text):
    """Return the HTML of each block: blocks are apart by an empty line, and code is one."""
    for block in re.findall(r"```\n.*?\n```|(?:[^\n]+\n?)+", text, re.DOTALL):
        lines = block.rstrip("\n").split("\n")
        if block.startswith("```"):
            yield f"<pre>{escape(block.strip('`').strip(), quote=False)}</pre>"
        elif block.startswith("#"):
            level = len(block) - len(block.lstrip("#")) + 1
            yield f"<h{level}>{_inline(block.lstrip('#').strip())}</h{level}>"
        elif block.startswith("|"):
            yield _table(lines)
        elif ITEM.match(block):
            yield _list(lines)
        else:
            yield f"<p>{_inline(' '.join(lines))}</p>"


def _list(lines):
    items = []
    for line in lines:
        if ITEM.match(line):
            items.append(ITEM.sub("", line, count=1))
        else:
            items[-1] += " " + line.strip()
    tag = "ul" if lines[0].startswith("-") else "ol"
    return "\n".join([f"<{tag}>", *(f"<li>{_inline(item)}</li>" for item in items), f"</{tag}>"])


def _table(lines):
    head, _rule, *rows = [
        [_inline(cell.strip()) for cell in line.strip("|").split("|")] for line in lines
    ]
    return "\n".join(
        [
            '<table class="table table-sm">',
            "<tr>" + "".join(f"<th>{cell}</th>" for cell in head) + "</tr>",
            *("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows),
            "</table>",
        ]
    )


def _inline(text):
    """Return the HTML of a line; what is code is left as it is."""
    parts = re.split(r"`(.+?)`", escape(text, quote=False))
    for index, part in enumerate(parts):
        if index % 2:
            parts[index] = f"<code>{part}</code>"
        else:
            for pattern, replacement in INLINE:
                part = pattern.sub(replacement, part)
            parts[index] = part
    return "".join(parts)
