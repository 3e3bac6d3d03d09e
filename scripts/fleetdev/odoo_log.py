"""Read Odoo's log: how many tests ran, and which warnings nobody expected."""

import re

LINE = re.compile(
    r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d+ (?P<pid>\d+) (?P<level>[A-Z]+) (?P<database>\S+) (?P<logger>\S+): (?P<text>.*)$"
)
RESULT = re.compile(r"(?P<failed>\d+) failed, (?P<errors>\d+) error\(s\) of (?P<total>\d+) tests")
SKIPPED = re.compile(r"\bskipped\b(?! 0)", re.IGNORECASE)
BAD_LEVELS = ("WARNING", "ERROR", "CRITICAL")
SHOWN_LINES = 40
# The first thing that a process says when it is told to stop (`ThreadedServer.stop`).
STOPPING = "Initiating shutdown"
# Each with the reason why it is no fault of ours.
EXPECTED = (
    # Odoo tries it for its reports; neither the demo nor the tests print with wkhtmltopdf.
    re.compile(r"You need Wkhtmltopdf"),
    re.compile(r"wkhtmltopdf", re.IGNORECASE),
)


def unexpected(text, allowed=()):
    """Return the entries of level WARNING and above that no pattern allows.

    What a process logs once it stops is left out: its connections are closed below its threads.

    :param allowed: more patterns, of one run; each is looked for in the line and what follows it
    """
    patterns = (*EXPECTED, *(re.compile(pattern) for pattern in allowed))
    return [
        "\n".join(lines[:SHOWN_LINES])
        for head, lines in _entries(text)
        if head["level"] in BAD_LEVELS
        and not any(pattern.search("\n".join(lines)) for pattern in patterns)
    ]


def _entries(text):
    """Give the match of each entry's first line, and its lines; of a process until it stops."""
    stopping, head, lines = set(), None, []
    for line in text.splitlines():
        if not (match := LINE.match(line)):
            lines.append(line)
            continue
        if head and head["pid"] not in stopping:
            yield head, lines
        if match["text"].startswith(STOPPING):
            stopping.add(match["pid"])
        head, lines = match, [line]
    if head and head["pid"] not in stopping:
        yield head, lines


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
