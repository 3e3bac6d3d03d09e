"""Why something that claims to be signed is not believed: a machine code and one plain sentence."""

from __future__ import annotations


class TrustError(Exception):
    """What was shown is not believed.

    :param code: one of :data:`SENTENCES`, such as ``bad_signature``
    :param facts: the values of the sentence's placeholders; never a part of a token
    """

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


def _plain(value: object) -> str:
    """Return a value that is safe on one line: no control characters, at most 200 characters."""
    text = "".join(char if char.isprintable() else " " for char in str(value))
    return " ".join(text.split())[:200]


# Every code with its sentence. A part of the package adds its own with `sentences`.
SENTENCES: dict[str, str] = {}


def sentences(**added: str) -> None:
    """Register the sentences of one module of the package; a code has one meaning only."""
    for code, text in added.items():
        if SENTENCES.setdefault(code, text) != text:
            raise ValueError(f"the code {code} has two sentences")
