"""What an operation may be asked: every argument named, typed and bounded, unknown ones refused."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import HostingError, sentences
from .names import check_name

sentences(
    bad_argument="The argument %(argument)s is not acceptable: %(reason)s.",
    unknown_argument="%(kind)s does not know the argument %(argument)s. It takes: %(known)s.",
    missing_argument="%(kind)s needs the argument %(argument)s.",
    unknown_kind="There is no operation %(kind)s. There are: %(known)s.",
    bad_idempotency_key="The idempotency key must be 8 to 100 letters, digits, dots, colons, hyphens or underscores.",
    key_reused="The key %(key)s was used before for another request. Use a new key.",
)

KEY = re.compile(r"[A-Za-z0-9._:-]{8,100}")

Check = Callable[[Any], Any]


@dataclass(frozen=True)
class Argument:
    """One argument.

    :param check: returns the clean value or raises ``ValueError`` with the reason
    """

    check: Check
    required: bool = False
    default: Any = None


def text(length: int = 200) -> Check:
    """Accept one line of text."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or len(value) > length or not value.strip():
            raise ValueError(f"a text of 1 to {length} characters is expected")
        if any(not char.isprintable() for char in value):
            raise ValueError("it holds a line break or a control character")
        return value.strip()

    return check


def matching(pattern: str, what: str) -> Check:
    """Accept a text that matches ``pattern`` as a whole."""
    compiled = re.compile(pattern)

    def check(value: Any) -> str:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise ValueError(f"{what} is expected")
        return value

    return check


def choice(*values: str) -> Check:
    """Accept one of ``values``."""

    def check(value: Any) -> str:
        if not isinstance(value, str) or value not in values:
            raise ValueError(f"one of {', '.join(values)} is expected")
        return value

    return check


def whole(low: int, high: int) -> Check:
    """Accept a whole number."""

    def check(value: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ValueError(f"a whole number from {low} to {high} is expected")
        return value

    return check


def flag(value: Any) -> bool:
    """Accept true or false."""
    if not isinstance(value, bool):
        raise ValueError("true or false is expected")
    return value


def name(value: Any) -> str:
    """Accept the name of a hosted database."""
    try:
        return check_name(value)
    except HostingError as error:
        raise ValueError(str(error).rstrip(".")) from error


def listing(check: Check, most: int = 200) -> Check:
    """Accept a list whose items all pass ``check``."""

    def check_all(value: Any) -> list:
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"a list of at most {most} items is expected")
        return [check(item) for item in value]

    return check_all


def mapping(most: int = 50, length: int = 1000) -> Check:
    """Accept an object of texts, numbers, booleans and nulls by short names."""

    def check(value: Any) -> dict:
        if not isinstance(value, dict) or len(value) > most:
            raise ValueError(f"an object of at most {most} entries is expected")
        for key, item in value.items():
            if not isinstance(key, str) or not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", key):
                raise ValueError("its keys must be short names")
            if not isinstance(item, (str, int, float, bool, type(None))):
                raise ValueError(f"the value of {key} must be a text, a number or a flag")
            if isinstance(item, float) and not math.isfinite(item):
                raise ValueError(f"the value of {key} is not a number")
            if isinstance(item, str) and len(item) > length:
                raise ValueError(f"the value of {key} is longer than {length} characters")
        return dict(value)

    return check


def check_arguments(
    kind: str, schema: Mapping[str, Argument], values: Mapping[str, Any]
) -> dict[str, Any]:
    """Return ``values`` checked against ``schema``, with defaults; None means "not given"."""
    if not isinstance(values, Mapping):
        raise HostingError("bad_argument", argument="arguments", reason="an object is expected")
    for argument in values:
        if argument not in schema:
            known = ", ".join(schema) or "none"
            raise HostingError("unknown_argument", kind=kind, argument=argument, known=known)
    checked = {}
    for argument, rule in schema.items():
        value = values.get(argument)
        if value is None:
            if rule.required:
                raise HostingError("missing_argument", kind=kind, argument=argument)
            checked[argument] = rule.default
            continue
        try:
            checked[argument] = rule.check(value)
        except ValueError as error:
            raise HostingError("bad_argument", argument=argument, reason=str(error)) from error
    return checked


def check_key(key: Any) -> str:
    """Return an idempotency key, or raise ``bad_idempotency_key``."""
    if not isinstance(key, str) or not KEY.fullmatch(key):
        raise HostingError("bad_idempotency_key")
    return key


def digest(kind: str, target: str, arguments: Mapping[str, Any]) -> str:
    """Return what identifies a request: the same for the same question, in hexadecimal."""
    canonical = json.dumps([kind, target, arguments], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
