"""Read Odoo's log: how many tests ran, and which warnings nobody expected."""

import re

LINE = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ \d+ (?P<level>[A-Z]+) (?P<database>\S+) (?P<logger>\S+): (?P<text>.*)$"
)
RESULT = re.compile(r"(?P<failed>\d+) failed, (?P<errors>\d+) error\(s\) of (?P<total>\d+) tests")
SKIPPED = re.compile(r"\bskipped\b(?! 0)", re.IGNORECASE)
BAD_LEVELS = ("WARNING", "ERROR", "CRITICAL")
# Each with the reason why it is no fault of ours.
EXPECTED = (
    # Odoo tries it for its reports; neither the demo nor the tests print with wkhtmltopdf.
    re.compile(r"You need Wkhtmltopdf"),
    re.compile(r"wkhtmltopdf", re.IGNORECASE),
)


def unexpected(text, allowed=()):
    """Return the lines of level WARNING and above that no pattern allows, each with its following lines.

    :param allowed: more patterns, of one run.
    """
    patterns = (*EXPECTED, *(re.compile(pattern) for pattern in allowed))
    found = []
    for line in text.splitlines():
        match = LINE.match(line)
        if not match:
            if found and found[-1][0] and len(found[-1][1]) < 40:
                found[-1][1].append(line)
            continue
        bad = match["level"] in BAD_LEVELS and not any(pattern.search(line) for pattern in patterns)
        found.append((bad, [line]))
    return ["\n".join(lines) for bad, lines in found if bad]


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
