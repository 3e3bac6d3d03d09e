"""What a template's operations and its editable copy are called."""

from __future__ import annotations

from .errors import HostingError
from .names import check_name

TARGET_PREFIX = "template:"
EDIT_SUFFIX = "-edit"


def target_of(code: str) -> str:
    """Return the target of operations on a template.

    It is no database's name, so that nobody waits for a template that happens to be called the same.
    """
    return TARGET_PREFIX + code


def code_of(target: str) -> str:
    """Return the code of the template that an operation works on."""
    return target.removeprefix(TARGET_PREFIX)


def check_target(target: object) -> str:
    """Return the target of operations on the template with this code.

    :raises HostingError: ``bad_name``, ``reserved_name``; also when the name of the editable copy
        would be one
    """
    code = check_name(code_of(target) if isinstance(target, str) else target)
    check_name(edit_name(code))
    return target_of(code)


def edit_name(code: object) -> str:
    """Return the name of a template's checked-out copy, which is open to the administrator."""
    if not isinstance(code, str):
        raise HostingError("bad_name", name=code)
    return code + EDIT_SUFFIX
