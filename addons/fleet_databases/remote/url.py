"""One spelling for the address of a database."""

from __future__ import annotations


def normalize_url(text: str) -> str:
    raise NotImplementedError
