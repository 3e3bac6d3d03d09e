"""What counts as a finding in the log of a process."""

from __future__ import annotations

from fleetdev import odoo_log


def line(level: str, text: str, pid: int = 7) -> str:
    return f"2026-01-02 03:04:05,678 {pid} {level} db odoo.addons.some: {text}"


def test_warnings_are_found_with_their_traceback_unless_a_pattern_allows_them() -> None:
    log = "\n".join(
        [
            "not a line of the log",
            line("INFO", "ready"),
            line("ERROR", "it failed"),
            "Traceback",
            "ValueError: red",
            line("WARNING", "it rains"),
            line("INFO", "done"),
        ]
    )
    error = f"{line('ERROR', 'it failed')}\nTraceback\nValueError: red"
    assert odoo_log.unexpected(log) == [error, line("WARNING", "it rains")]
    assert odoo_log.unexpected(log, ("ValueError: r", "rains")) == []
    assert odoo_log.unexpected("") == []


def test_what_a_process_logs_once_it_stops_is_no_finding() -> None:
    before = line("ERROR", "before")
    other = line("ERROR", "of another process", pid=8)
    stop = line("INFO", "Initiating shutdown")
    log = "\n".join([before, stop, line("ERROR", "connection already closed"), "Traceback", other])
    assert odoo_log.unexpected(log) == [before, other]
