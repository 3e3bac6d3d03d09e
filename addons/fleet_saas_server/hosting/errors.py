"""What can go wrong while this machine hosts databases: a machine code and one plain sentence.

A step of an operation fails with one of these. ``code`` is what another program decides by,
``template`` with its named values is what a person reads (what, why, what next), and the class
says what to do: :class:`Retryable` may work in a moment, any other error will not. No error holds
a secret.
"""

from __future__ import annotations

from typing import ClassVar


class HostingError(Exception):
    """A step could not be done, and trying again would end the same way.

    :param code: a short machine code such as ``name_taken``, one of :data:`SENTENCES`
    :param facts: the values of the sentence's placeholders
    """

    retryable: ClassVar[bool] = False

    def __init__(self, code: str, **facts: object) -> None:
        self.code = code
        self.facts = {name: _plain(value) for name, value in facts.items()}
        super().__init__(code)

    @property
    def template(self) -> str:
        """Return the English sentence with its ``%(name)s`` placeholders."""
        return SENTENCES[self.code]

    def __str__(self) -> str:
        return self.template % self.facts


class Retryable(HostingError):
    """A step could not be done now; the operation waits and tries again, a bounded number of times."""

    retryable = True


class Cancelled(HostingError):
    """Somebody asked for the operation to stop."""

    def __init__(self) -> None:
        super().__init__("cancelled")


class Lost(Exception):
    """This runner no longer holds the operation's lock: it must stop and touch nothing any more."""


def _plain(value: object) -> str | int | float:
    """Return a value that is safe on one line: no control characters, at most 500 characters."""
    if isinstance(value, (int, float)):
        return value
    text = "".join(char if char.isprintable() else " " for char in str(value))
    return " ".join(text.split())[:500]


# Every code with its sentence. A part of the package adds its own with `sentences`.
SENTENCES: dict[str, str] = {}


def sentences(**added: str) -> None:
    """Register the sentences of one module of the package; a code has one meaning only."""
    for code, text in added.items():
        if SENTENCES.setdefault(code, text) != text:
            raise ValueError(f"the code {code} has two sentences")


sentences(
    cancelled="The operation was cancelled; everything it had begun was undone.",
    deadline="The operation took longer than %(minutes)s minutes and was stopped. "
    "Look at the step it was in, then retry.",
    gave_up="The operation was interrupted %(attempts)s times in the same step, %(step)s. "
    "Look for the reason in the server's log, then retry.",
    unexpected="The step %(step)s failed unexpectedly (%(kind)s). "
    "The server's log has the details under the operation's number.",
    undo_failed="%(reason)s What was begun could not be undone completely (%(undo)s); "
    "the reconciliation lists what is left.",
    bad_name="%(name)s is not a valid name: use 3 to 42 lower-case letters, digits and hyphens, "
    "beginning with a letter and ending with a letter or a digit.",
    reserved_name="The name %(name)s is reserved. Choose another one.",
    name_taken="The name %(name)s is taken. Choose another one.",
    no_database="The database %(name)s does not exist on this server.",
    not_ours="The database %(name)s was not made by this server, so it is left alone.",
    postgres_down="PostgreSQL cannot be reached: %(reason)s",
    source_in_use="The database %(name)s is still in use by %(sessions)s sessions.",
    folder_in_the_way="The folder %(folder)s already exists; files of a former database of this "
    "name are still there. Run the reconciliation, or move them away.",
)
