"""Read Odoo's log: how many tests ran, and which warnings nobody expected."""

import re

LINE = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ \d+ (?P<level>[A-Z]+) (?P<database>\S+) (?P<logger>\S+): (?P<text>.*)$"
)
RESULT = re.compile(r"(?P<failed>\d+) failed, (?P<errors>\d+) error\(s\) of (?P<total>\d+) tests")
SKIPPED = re.compile(r"\bskipped\b(?! 0)", re.IGNORECASE)
BAD_LEVELS = ("WARNING", "ERROR", "CRITICAL")
SHOWN_LINES = 40
# Each with the reason why it is no fault of ours.
EXPECTED = (
    # Odoo tries it for its reports; neither the demo nor the tests print with wkhtmltopdf.
    re.compile(r"You need Wkhtmltopdf"),
    re.compile(r"wkhtmltopdf", re.IGNORECASE),
)


def unexpected(text, allowed=()):
    """Return the entries of level WARNING and above that no pattern allows.

    :param allowed: more patterns, of one run; each is looked for in the line and what follows it
    """
    patterns = (*EXPECTED, *(re.compile(pattern) for pattern in allowed))
    entries = [[]]
    for line in text.splitlines():
        if LINE.match(line):
            entries.append([])
        entries[-1].append(line)
    return [
        "\n".join(lines[:SHOWN_LINES])
        for lines in entries[1:]
        if LINE.match(lines[0])["level"] in BAD_LEVELS
        and not any(pattern.search("\n".join(lines)) for pattern in patterns)
    ]


def counts(text):
    """Return (tests that ran, failures and errors, skipped) of a run of Odoo's test runner."""
    total = failed = 0
    for match in RESULT.finditer(text):
        total += int(match["total"])
        failed += int(match["failed"]) + int(match["errors"])
    skipped = sum(1 for line in text.splitlines() if (m := LINE.match(line)) and _is_skip(m))
    return total, failed, skipped


def _is_skip(match):
    return ".tests." in match["logger"] and bool(SKIPPED.search(match["text"]))
