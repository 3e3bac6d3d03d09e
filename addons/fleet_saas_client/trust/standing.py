"""What a database stands under: nothing, a document, or one that cannot be believed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from .document import Document, State, read_document
from .errors import TrustError
from .keys import read_keys


@dataclass(frozen=True)
class Standing:
    """Either a document, or why the stored one is not believed, or neither of them.

    A document that is stored but not believed closes rather than opens: it does not say what is
    allowed, and who could make it so must gain nothing by it.
    """

    document: Document | None = None
    error: TrustError | None = None

    @property
    def is_known(self) -> bool:
        """Return whether somebody has signed for this database at all."""
        return self.document is not None or self.error is not None

    @property
    def is_enforced(self) -> bool:
        """Return whether limits hold: until the provider lets the database go."""
        return self.is_known and not (self.document and self.document.state is State.RELEASED)

    @property
    def is_suspended(self) -> bool:
        """Return whether nobody but the provider may work in the database."""
        return bool(self.document and self.document.state is State.SUSPENDED)

    @property
    def users(self) -> int | None:
        """Return how many internal users there may be; 0 lets none be added."""
        if not self.is_enforced:
            return None
        return self.document.limits.users if self.document else 0

    @property
    def apps(self) -> frozenset[str] | None:
        """Return the apps that may be installed, None for all of them."""
        if not self.is_enforced:
            return None
        return self.document.limits.apps if self.document else frozenset()

    @property
    def storage_bytes(self) -> int | None:
        """Return how large database and files may be together."""
        if not self.is_enforced or not self.document or self.document.limits.storage_mb is None:
            return None
        return self.document.limits.storage_mb << 20


NOTHING = Standing()


@lru_cache(maxsize=256)
def judge(token: str, anchor: str) -> Standing:
    """Return what ``token``, a stored document, means under ``anchor``, the text of the key file."""
    try:
        return Standing(document=read_document(token, read_keys(anchor)))
    except TrustError as error:
        return Standing(error=error)
