"""Periods and their parts: plain figures, no ORM.

A period is half open: its end is the first day that it does not cover.
"""

from __future__ import annotations

from datetime import date

from dateutil.relativedelta import relativedelta

MONTHS = {"month": 1, "year": 12}


def period_end(start: date, period: str, anchor: int = 0) -> date:
    """Return the end of the period that begins on ``start``.

    :param period: ``month`` or ``year``
    :param anchor: day of the month on which periods begin where the month has it: what began on
        31 January ends on 28 February and then on 31 March
    """
    return _shift(start, MONTHS[period], anchor)


def period_start(end: date, period: str, anchor: int = 0) -> date:
    """Return the start of the period that ends on ``end``."""
    return _shift(end, -MONTHS[period], anchor)


def _shift(day: date, months: int, anchor: int) -> date:
    if not anchor or day + relativedelta(day=anchor) != day:
        anchor = day.day
    return day + relativedelta(months=months, day=anchor)


def unused(today: date, until: date, period: str, anchor: int = 0) -> float:
    """Return how many periods lie between ``today`` and ``until``, by days of each.

    Half of February is as much as half of March: customers pay for months, not for days.
    """
    periods, end = 0.0, until
    while end > today:
        start = period_start(end, period, anchor)
        periods += (end - max(start, today)).days / (end - start).days
        end = start
    return periods
